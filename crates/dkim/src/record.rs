//! The DNS record of a public key (RFC 6376 section 3.6): what the operator publishes for verifiers to find.

use crate::{Error, KeyAlgorithm, SigningKey};
use data_encoding::BASE64;
use postroad_model::Domain;
use std::fmt;

/// A character-string of a TXT record holds at most this many octets (RFC 1035 section 3.3).
const MAX_STRING: usize = 255;

/// A TXT record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// The owner name without a trailing dot, `s1._domainkey.example.com`.
    pub name: String,
    /// The value in one piece, as most web forms want it.
    pub value: String,
}

impl DnsRecord {
    /// The record of a key.
    ///
    /// # Errors
    /// [`Error::Selector`] when the selector cannot stand in a DNS name.
    pub fn of(domain: &Domain, selector: &str, key: &SigningKey) -> Result<Self, Error> {
        check_selector(selector)?;
        let kind = match key.algorithm() {
            KeyAlgorithm::Rsa => "rsa",
            KeyAlgorithm::Ed25519 => "ed25519",
        };
        Ok(Self {
            name: format!("{selector}._domainkey.{domain}"),
            value: format!("v=DKIM1; k={kind}; p={}", BASE64.encode(key.public())),
        })
    }

    /// The value in pieces of at most 255 octets, the character-strings of the record. Verifiers join them
    /// without a blank (RFC 6376 section 3.6.2.2).
    pub fn strings(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.value.as_str();
        std::iter::from_fn(move || {
            // The value is ASCII, so every octet is a border.
            let (piece, tail) = rest.split_at(rest.len().min(MAX_STRING));
            rest = tail;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// A line of a zone file.
impl fmt::Display for DnsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. IN TXT (", self.name)?;
        for piece in self.strings() {
            write!(f, " \"{piece}\"")?;
        }
        f.write_str(" )")
    }
}

/// RFC 6376 section 3.1: `sub-domain *( "." sub-domain )`.
pub(crate) fn check_selector(selector: &str) -> Result<(), Error> {
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if selector.len() <= 128 && selector.split('.').all(label_ok) {
        Ok(())
    } else {
        Err(Error::Selector(selector.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_into_strings_that_join_to_it() {
        let check = |len: usize, sizes: &[usize]| {
            let record =
                DnsRecord { name: "s1._domainkey.example.com".into(), value: "x".repeat(len) };
            let got: Vec<usize> = record.strings().map(str::len).collect();
            assert_eq!(got, sizes);
            assert_eq!(record.strings().collect::<String>(), record.value);
        };
        check(80, &[80]);
        check(255, &[255]);
        check(256, &[255, 1]);
        check(600, &[255, 255, 90]);
    }

    #[test]
    fn a_selector_is_made_of_dns_labels() {
        let check = |text: &str, ok: bool| assert_eq!(check_selector(text).is_ok(), ok, "{text:?}");
        check("s1", true);
        check("2026-11.news", true);
        check("", false);
        check("s1.", false);
        check("-s", false);
        check("s 1", false);
        check("s1; t=y", false);
        check("sé", false);
    }
}
