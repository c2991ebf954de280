//! E-mail addresses (RFC 5321 section 4.1.2, RFC 5322 section 3.4.1, RFC 6531 for UTF-8, IDNA 2008 by UTS 46).
//!
//! `EmailAddress::parse` is the only door in, and the barrier against SMTP injection: no address that it lets
//! through holds a control character, a space outside quotes, `<` or `>` outside quotes, or anything else that
//! could end the path in `RCPT TO:<...>`. Domains are kept in lower-case A-label form; local parts as given.

use serde::{Deserialize, Serialize, de};
use std::{fmt, str::FromStr};

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// No `@` between a local part and a domain.
    #[error("no @ between a local part and a domain")]
    NoAt,
    /// A control character (RFC 5321 forbids them even when quoted).
    #[error("control character U+{0:04X}")]
    Control(u32),
    /// The local part is empty or longer than 64 octets.
    #[error("the part before @ must have 1 to 64 octets")]
    LocalLength,
    /// A character that may not stand there unquoted.
    #[error("{0:?} may not stand before @ without quotes")]
    LocalChar(char),
    /// Dots at an end or side by side.
    #[error("a dot at the end of the part before @, or two side by side")]
    LocalDots,
    /// The quoted string does not end right.
    #[error("the quoted part before @ is not closed")]
    Quote,
    /// The domain does not follow the rules of host names.
    #[error("{0:?} is not a domain name")]
    Domain(String),
    /// A domain without a dot cannot be mailed from outside.
    #[error("{0:?} has no top-level domain")]
    NoTopLevel(String),
    /// Address literals are not recipients of campaigns.
    #[error("address literals like [192.0.2.1] are not accepted")]
    Literal,
    /// Longer than a path may be (RFC 5321 section 4.5.3.1.3).
    #[error("longer than 254 octets")]
    TooLong,
}

/// A domain name in lower-case A-label form, without a trailing dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain; UTF-8 labels become A-labels.
    ///
    /// # Errors
    /// `AddressError::{Domain, NoTopLevel, Literal}`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.starts_with('[') {
            return Err(AddressError::Literal);
        }
        let bad = || AddressError::Domain(text.chars().take(80).collect());
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL)
            .map_err(|_| bad())?
            .to_ascii_lowercase();
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if ascii.is_empty() || ascii.len() > 253 || !ascii.split('.').all(label_ok) {
            return Err(bad());
        }
        let Some((_, top)) = ascii.rsplit_once('.') else {
            return Err(AddressError::NoTopLevel(text.into()));
        };
        if top.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        Ok(Self(ascii))
    }

    /// The name in A-label form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when `self` is `other` or ends in `.other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0 == other.0
            || self.0.strip_suffix(other.as_str()).is_some_and(|head| head.ends_with('.'))
    }
}

/// One address that mail can be sent to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress {
    local: String,
    domain: Domain,
}

impl EmailAddress {
    /// Reads an address without display name or comments. Blanks around it are dropped.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(c) = text.chars().find(|c| c.is_control() || is_format(*c)) {
            return Err(AddressError::Control(c as u32));
        }
        let (local, domain) = if text.starts_with('"') {
            split_quoted(text)?
        } else {
            let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoAt)?;
            check_dot_atom(local)?;
            (local.to_owned(), domain)
        };
        if local.is_empty() || local.len() > 64 {
            return Err(AddressError::LocalLength);
        }
        let domain = Domain::parse(domain)?;
        if local.len() + 1 + domain.0.len() > 254 {
            return Err(AddressError::TooLong);
        }
        Ok(Self { local, domain })
    }

    /// The part before `@` as it goes on the wire, with its quotes if it has any.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after `@`.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// True when the relay must offer SMTPUTF8 (RFC 6531) to take it.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }

    /// The form that duplicates are found by: lower case throughout. RFC 5321 lets hosts tell `A@` from `a@`,
    /// no mailbox provider of a campaign does, and people type both.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.domain.0)
    }
}

/// Invisible characters that only serve to deceive: zero-width ones, direction marks, the byte order mark.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// RFC 5321 `Quoted-string "@" Domain`; quotes that are not needed are kept, since the host may care.
fn split_quoted(text: &str) -> Result<(String, &str), AddressError> {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match (escaped, c) {
            (true, _) => escaped = false,
            (false, '\\') => escaped = true,
            (false, '"') => {
                let domain = text[i + 1..].strip_prefix('@').ok_or(AddressError::NoAt)?;
                return Ok((text[..=i].to_owned(), domain));
            }
            (false, _) => {}
        }
    }
    Err(AddressError::Quote)
}

fn check_dot_atom(local: &str) -> Result<(), AddressError> {
    if local.is_empty() {
        return Err(AddressError::LocalLength);
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(AddressError::LocalDots);
    }
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~.".contains(c)
            || (!c.is_ascii() && !c.is_whitespace())
    };
    match local.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(AddressError::LocalChar(c)),
        None => Ok(()),
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! text_form {
    ($($name:ident),+) => {$(
        impl FromStr for $name {
            type Err = AddressError;

            fn from_str(text: &str) -> Result<Self, AddressError> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text).map_err(|e| de::Error::custom(format!("{text:?}: {e}")))
            }
        }
    )+};
}

text_form!(EmailAddress, Domain);

/// An address with the name that people see (RFC 5322 `mailbox`), e.g. `Anna <anna@gmail.com>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// The display name, decoded, without control characters; `None` when there is none.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

impl Mailbox {
    /// Reads `Name <address>`, `"Name" <address>` or a bare address.
    ///
    /// # Errors
    /// As [`EmailAddress::parse`]; a name with a control character is refused too.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(AddressError::Control(c as u32));
        }
        let Some((name, rest)) = text.strip_suffix('>').and_then(|t| t.rsplit_once('<')) else {
            return Ok(Self { name: None, address: EmailAddress::parse(text)? });
        };
        let name = name.trim();
        let name = match name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
            None => name.to_owned(),
        };
        let name = Some(name).filter(|n| !n.is_empty());
        Ok(Self { name, address: EmailAddress::parse(rest)? })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(
                f,
                "\"{}\" <{}>",
                name.replace('\\', "\\\\").replace('"', "\\\""),
                self.address
            ),
            None => self.address.fmt(f),
        }
    }
}

text_form!(Mailbox);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<&str, AddressError>) {
        let got = EmailAddress::parse(text).map(|a| a.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn addresses_that_people_have_are_accepted() {
        check("anna@example.com", Ok("anna@example.com"));
        check("  Anna.Lê@Example.COM ", Ok("Anna.Lê@example.com"));
        check("nguyễn@thưviện.vn", Ok("nguyễn@xn--thvin-grb5423c.vn"));
        check(
            "/G=Anna/S=Le/O=ACME/@gateway.example.org",
            Ok("/G=Anna/S=Le/O=ACME/@gateway.example.org"),
        );
        check("\"anna le\"@example.com", Ok("\"anna le\"@example.com"));
        check("\"a@b\\\"c\"@example.com", Ok("\"a@b\\\"c\"@example.com"));
        check("a+b=c@sub.example.co.uk.", Ok("a+b=c@sub.example.co.uk"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_rule_it_breaks() {
        use AddressError as E;
        check("", Err(E::Empty));
        check("anna", Err(E::NoAt));
        check("@example.com", Err(E::LocalLength));
        check("a b@example.com", Err(E::LocalChar(' ')));
        check("a<b@example.com", Err(E::LocalChar('<')));
        check(".a@example.com", Err(E::LocalDots));
        check("a..b@example.com", Err(E::LocalDots));
        check("\"a@example.com", Err(E::Quote));
        check("a@localhost", Err(E::NoTopLevel("localhost".into())));
        check("a@[192.0.2.1]", Err(E::Literal));
        check("a@192.0.2.1", Err(E::Domain("192.0.2.1".into())));
        check("a@exa mple.com", Err(E::Domain("exa mple.com".into())));
        check("a@-x.com", Err(E::Domain("-x.com".into())));
        check("a@b.com\r\nRCPT TO:<c@d.com>", Err(E::Control(13)));
        check("\"a\r\n\"@b.com", Err(E::Control(13)));
        check("a\u{200B}@b.com", Err(E::Control(0x200B)));
        check(&format!("{}@b.com", "x".repeat(65)), Err(E::LocalLength));
    }

    #[test]
    fn a_mailbox_keeps_its_name() {
        let m = Mailbox::parse("\"Lê, Anna\" <anna@example.com>").unwrap();
        assert_eq!(
            (m.name.as_deref(), m.address.to_string().as_str()),
            (Some("Lê, Anna"), "anna@example.com")
        );
        assert!(Mailbox::parse("Anna\r\nBcc: x <a@b.com>").is_err());
    }

    #[test]
    fn a_domain_is_within_itself_and_its_parents_only_on_a_label_boundary() {
        let d = |t| Domain::parse(t).unwrap();
        assert!(d("news.example.com").is_within(&d("example.com")));
        assert!(!d("badexample.com").is_within(&d("example.com")));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_nothing_accepted_can_break_a_command(text in any::<String>()) {
            if let Ok(address) = EmailAddress::parse(&text) {
                let wire = address.to_string();
                prop_assert!(!wire.chars().any(char::is_control));
                prop_assert_eq!(EmailAddress::parse(&wire), Ok(address));
            }
        }
    }
}
