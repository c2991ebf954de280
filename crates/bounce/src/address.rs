//! Addresses in prose and in fields.
//!
//! `dsn`, `prose`, `feedback` and `references` find recipients with it. It follows RFC 5321 section 4.1.2 loosely, as bounces
//! write addresses: bare, in brackets, quoted, with routes, types and comments around them; RFC 6533 section 3 for the
//! forms of internationalised addresses and RFC 3461 section 4 for xtext. What always holds: an address has one `@`
//! with something on both sides, no blanks outside quotes, no control characters and at most 320 bytes. It does not
//! check that a domain exists.

use std::ops::Range;

const MAX_ADDRESS: usize = 320;
/// Most addresses that are taken from one text.
const MAX_FOUND: usize = 2_000;

/// An address and where it stands in the text, brackets not included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub address: String,
    pub at: Range<usize>,
}

/// All addresses of a text whose domain has a dot or is a literal.
pub(crate) fn find_all(text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for at in memchr::memchr_iter(b'@', text.as_bytes()) {
        if found.len() >= MAX_FOUND {
            break;
        }
        let taken = found.last().map_or(0, |f| f.at.end);
        let apart = |f: &Found| f.at.start >= taken && has_dotted_domain(&f.address);
        if let Some(one) = around(text, at).filter(apart) {
            found.push(one);
        }
    }
    found
}

/// The first address of a text.
pub(crate) fn first(text: &str) -> Option<String> {
    memchr::memchr_iter(b'@', text.as_bytes())
        .take(50)
        .find_map(|at| around(text, at).filter(|f| has_dotted_domain(&f.address)))
        .map(|f| f.address)
}

/// The address of a field like `Final-Recipient`, whatever is written around it.
pub(crate) fn of_field(value: &str) -> Option<String> {
    let (kind, rest) = split_type(value);
    let rest = rest.trim();
    let decoded = match kind.as_str() {
        "utf-8" => decode_hex_points(&decode_xtext(rest)),
        "x400" | "x-400" | "x.400" => x400(rest),
        _ if rest.contains("\\x{") => decode_hex_points(rest),
        _ => rest.to_owned(),
    };
    // A route: <@one,@two:user@host>
    let bare = match (decoded.find("@"), decoded.find(":")) {
        (Some(at), Some(colon)) if at < colon && decoded[colon..].contains('@') => {
            &decoded[colon + 1..]
        }
        _ => &decoded[..],
    };
    bracketed(bare).or_else(|| first(bare)).or_else(|| {
        // A name of the local host, which only a field may give.
        let at = bare.find('@')?;
        around(bare, at).map(|f| f.address)
    })
}

/// `rfc822; user@host` in its parts; the type is empty where there is none.
pub(crate) fn split_type(value: &str) -> (String, &str) {
    match value.split_once(';') {
        Some((kind, rest)) if kind.len() <= 20 && !kind.contains(['@', '<', '"']) => {
            (kind.trim().to_ascii_lowercase(), rest)
        }
        _ => (String::new(), value),
    }
}

fn bracketed(text: &str) -> Option<String> {
    let open = text.find('<')?;
    let close = open + text[open..].find('>')?;
    let inner = text[open + 1..close].trim().trim_start_matches("mailto:");
    let at = inner.rfind('@')?;
    let (local, domain) = (&inner[..at], &inner[at + 1..]);
    let plain = !local.is_empty()
        && !domain.is_empty()
        && inner.len() <= MAX_ADDRESS
        && !domain.contains(['@', '<', '"', '(', ','])
        && !domain.chars().any(char::is_whitespace)
        && !inner.chars().any(char::is_control)
        && (!local.chars().any(|c| c.is_whitespace() || c == ':' || c == '<')
            || (local.starts_with('"') && local.ends_with('"') && local.len() > 2));
    plain.then(|| inner.trim_end_matches('.').to_owned())
}

/// The address around the `@` at this offset.
fn around(text: &str, at: usize) -> Option<Found> {
    let domain_end = at + 1 + domain_len(&text[at + 1..]);
    let start = local_start(&text[..at])?;
    let address = &text[start..domain_end];
    let fits = domain_end > at + 1 && address.len() <= MAX_ADDRESS;
    fits.then(|| Found { address: address.to_owned(), at: start..domain_end })
}

fn local_start(before: &str) -> Option<usize> {
    let last = before.chars().next_back()?;
    if last == '"' {
        // "quoted words"@host: back to the opening quote on the same line.
        let inner = &before[..before.len() - 1];
        let open =
            inner.rfind('"').filter(|o| !inner[*o..].contains('\n') && inner.len() - o < 66)?;
        return (inner.len() > open + 1).then_some(open);
    }
    let ascii = last.is_ascii();
    let mut start = before.len();
    for (i, c) in before.char_indices().rev() {
        let part = is_local(c) || is_latin(c) || (!ascii && c.is_alphanumeric());
        if !part || before.len() - i > MAX_ADDRESS {
            break;
        }
        start = i;
    }
    // Quotes, dots and equals signs in front belong to the sentence.
    let skipped = before[start..]
        .trim_start_matches(['\'', '`', '.', '=', '*', '?', '/', '&', '|', '-', '{', '^']);
    let start = before.len() - skipped.len();
    (start < before.len()).then_some(start)
}

fn domain_len(after: &str) -> usize {
    if let Some(literal) = after.strip_prefix('[') {
        let end = literal.bytes().take(64).position(|b| b == b']').unwrap_or(0);
        let inside = literal[..end]
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'I' | b'P' | b'v'));
        return if end > 0 && inside { end + 2 } else { 0 };
    }
    let ascii = after.chars().next().is_some_and(|c| c.is_ascii());
    let mut end = 0;
    for (i, c) in after.char_indices() {
        let part = c.is_ascii_alphanumeric()
            || matches!(c, '.' | '-' | '_')
            || is_latin(c)
            || (!ascii && c.is_alphanumeric());
        if !part || i > 255 {
            break;
        }
        end = i + c.len_utf8();
    }
    let trimmed = after[..end].trim_end_matches(['.', '-', '_']);
    // "see a@b.example..more" ends at the first empty label.
    trimmed.find("..").unwrap_or(trimmed.len())
}

fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn is_latin(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{24f}')
}

fn has_dotted_domain(address: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(_, domain)| {
        domain.starts_with('[')
            || (domain.contains('.')
                && !domain.starts_with('.')
                // A version or an IP without brackets is no domain.
                && domain.rsplit('.').next().is_some_and(|top| top.len() >= 2 && !top.bytes().all(|b| b.is_ascii_digit())))
    })
}

/// `+XX` of xtext, upper case hexadecimal only, as it is written there.
fn decode_xtext(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let raw = text.as_bytes();
    let mut i = 0;
    while i < raw.len() {
        let hex = (raw[i] == b'+')
            .then(|| raw.get(i + 1..i + 3))
            .flatten()
            .filter(|h| h.iter().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b)))
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        bytes.push(hex.unwrap_or(raw[i]));
        i += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// `\x{HEX}` of RFC 6533's utf-8-addr-xtext.
fn decode_hex_points(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x{") {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 3..];
        let decoded = inner.bytes().take(7).position(|b| b == b'}').and_then(|end| {
            let c = char::from_u32(u32::from_str_radix(&inner[..end], 16).ok()?)?;
            Some((c, &inner[end + 1..]))
        });
        match decoded {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push_str("\\x{");
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

/// An X.400 address that carries an Internet one: `/DDA:RFC-822=user(a)host/` and the like.
fn x400(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find("822") else { return text.to_owned() };
    let value = text[at + 3..].trim_start_matches(['=', ':', ' ']);
    let end = value.find([';', '/']).unwrap_or(value.len());
    value[..end].replace("(a)", "@").replace("(A)", "@").replace("(u)", "_")
}

/// Whether this is an address that servers write from.
pub(crate) fn is_daemon(address: &str) -> bool {
    const DAEMONS: [&str; 16] = [
        "mailer-daemon",
        "mailerdaemon",
        "mailer_daemon",
        "mail-daemon",
        "maildaemon",
        "postmaster",
        "poostmaster",
        "double-bounce",
        "mdaemon",
        "mail.delivery.system",
        "mailsystem",
        "mailer",
        "bounce-daemon",
        "mail-system",
        "mailsubsystem",
        "maildeliverysystem",
    ];
    let local = address.split('@').next().unwrap_or_default().trim().to_ascii_lowercase();
    DAEMONS.contains(&local.as_str())
        || local.starts_with("mailer-daemon")
        || local.starts_with("postmaster")
}

/// Whether nobody mails a campaign there: servers, and where to ask for help.
pub(crate) fn is_role(address: &str) -> bool {
    const ROLES: [&str; 9] = [
        "abuse",
        "helpdesk",
        "hostmaster",
        "support",
        "noc",
        "root",
        "mail-admin",
        "mailadmin",
        "unblock",
    ];
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    is_daemon(address) || ROLES.contains(&local.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = find_all(text).into_iter().map(|f| f.address).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn addresses_are_found_in_prose() {
        check("<a@b.example>: host x said", &["a@b.example"]);
        check("to a.b+c=d@sub.b.example. Sorry", &["a.b+c=d@sub.b.example"]);
        check("a@b.example\u{60a8}\u{597d}", &["a@b.example"]);
        check("\u{7528}\u{6237}@\u{4f8b}\u{3048}.jp", &["\u{7528}\u{6237}@\u{4f8b}\u{3048}.jp"]);
        check("[SMTP:a@b.example], 'c@d.example' on", &["a@b.example", "c@d.example"]);
        check("user@localhost and @x.example and a@ and a@1.2.3", &[]);
        check("\"a b\"@c.example x@[192.0.2.1]", &["\"a b\"@c.example", "x@[192.0.2.1]"]);
        check("rfc822;a@b.example mailto:c@d.example>", &["a@b.example", "c@d.example"]);
        check("a@b.example.com@d.example", &["a@b.example.com"]);
        check("nyaan%gol.example@q.gol.example", &["nyaan%gol.example@q.gol.example"]);
    }

    #[track_caller]
    fn field(value: &str, expected: Option<&str>) {
        assert_eq!(of_field(value).as_deref(), expected, "{value}");
    }

    #[test]
    fn a_field_gives_its_address_in_every_form() {
        field("rfc822; a@b.example", Some("a@b.example"));
        field("RFC822;<a@b.example>", Some("a@b.example"));
        field("<a@b.example>", Some("a@b.example"));
        field("a@b.example", Some("a@b.example"));
        field("rfc822; a@host", Some("a@host"));
        field("rfc822; Anna Example <a@b.example> (comment)", Some("a@b.example"));
        field("rfc822;/var/spool/mail", None);
        field("rfc822; <@one.example,@two.example:a@b.example>", Some("a@b.example"));
        field("utf-8; \\x{4E0A}\\x{6D77}@b.example", Some("\u{4e0a}\u{6d77}@b.example"));
        field("utf-8; +C3+A4nne@b.example", Some("\u{e4}nne@b.example"));
        field("x400; /C=XX/DDA:RFC-822=a(a)b.example/", Some("a@b.example"));
        field("system; a@b.example", Some("a@b.example"));
        field("", None);
    }
}
