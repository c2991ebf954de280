//! What a relay offers, read off its reply to EHLO (RFC 5321 section 4.1.1.1).
//!
//! Kept with the connection and sent to the engine when it opens. Keywords are compared without regard to case;
//! unknown ones and broken parameters are passed over. CHUNKING is noticed and not used: DATA costs no extra round
//! trip where commands are pipelined.

use postroad_model::Reply;

/// A way to log in that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The undocumented one that everybody has.
    Login,
    /// RFC 2195.
    CramMd5,
    /// Google's and Microsoft's bearer tokens.
    Xoauth2,
}

impl Mechanism {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Plain, "PLAIN"),
        (Self::Login, "LOGIN"),
        (Self::CramMd5, "CRAM-MD5"),
        (Self::Xoauth2, "XOAUTH2"),
    ];

    /// Its name in AUTH.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

/// The extensions of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 2920: commands may be sent ahead.
    pub pipelining: bool,
    /// RFC 1870: the largest message, where it is said.
    pub size: Option<SizeLimit>,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 4954: the ways to log in that we know.
    pub auth: Vec<Mechanism>,
}

/// SIZE of RFC 1870 section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeLimit {
    /// SIZE is understood, and no limit is told.
    Untold,
    /// No more octets than this.
    Max(u64),
}

impl Capabilities {
    /// Reads the lines after the greeting.
    #[must_use]
    pub fn of_ehlo(reply: &Reply) -> Self {
        let mut found = Self::default();
        for line in reply.text.split('\n').skip(1) {
            // `AUTH=LOGIN` is an old way to write it that some relays still add.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => found.pipelining = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "DSN" => found.dsn = true,
                "8BITMIME" => found.eight_bit_mime = true,
                "CHUNKING" => found.chunking = true,
                "ENHANCEDSTATUSCODES" => found.enhanced_status_codes = true,
                "STARTTLS" => found.starttls = true,
                "SIZE" => {
                    let max =
                        words.next().and_then(|word| word.parse().ok()).filter(|max| *max > 0);
                    found.size = Some(max.map_or(SizeLimit::Untold, SizeLimit::Max));
                }
                "AUTH" => found.add_mechanisms(words),
                _ => {}
            }
        }
        found
    }

    /// The largest message that the relay says it takes.
    #[must_use]
    pub fn size_max(&self) -> Option<u64> {
        match self.size {
            Some(SizeLimit::Max(max)) => Some(max),
            Some(SizeLimit::Untold) | None => None,
        }
    }

    fn add_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words {
            for (mechanism, name) in Mechanism::NAMES {
                if word.eq_ignore_ascii_case(name) && !self.auth.contains(&mechanism) {
                    self.auth.push(mechanism);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Capabilities) {
        assert_eq!(&Capabilities::of_ehlo(&Reply::new(250, text)), expected, "{text:?}");
    }

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_passed_over() {
        let all = Capabilities {
            pipelining: true,
            size: Some(SizeLimit::Max(35_882_577)),
            smtputf8: true,
            dsn: true,
            eight_bit_mime: true,
            chunking: true,
            enhanced_status_codes: true,
            starttls: true,
            auth: vec![Mechanism::Login, Mechanism::Plain, Mechanism::Xoauth2],
        };
        check(
            "mx at your service\nPIPELINING\nSIZE 35882577\nsmtputf8\nDsn\n8BITMIME\nCHUNKING\n\
             ENHANCEDSTATUSCODES\nSTARTTLS\nXCLIENT NAME\nAUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER\nAUTH=LOGIN",
            &all,
        );
    }

    #[test]
    fn the_greeting_is_no_keyword_and_sizes_may_be_missing() {
        check("PIPELINING", &Capabilities::default());
        let untold = Capabilities { size: Some(SizeLimit::Untold), ..Capabilities::default() };
        check("mx\nSIZE", &untold);
        check("mx\nSIZE 0", &untold);
        check("mx\nSIZE many", &untold);
        check("mx\n\n ", &Capabilities::default());
    }
}
