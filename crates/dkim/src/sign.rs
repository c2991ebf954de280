//! Signing: RFC 6376 section 5 with relaxed/relaxed canonicalisation, one field per key, RSA first.
//!
//! mail-auth canonicalises and signs. Its own front door is not used: it reads the system clock for `t=`, hashes
//! the body once per key, and cannot name a field in `h=` once more than it occurs. The body is handed to it
//! without its trailing lines of blanks, which its version 0.13 would hash although RFC 6376 section 3.4.4 drops
//! them; so a verifier sees the same hash whatever a body ends in.

use crate::record::check_selector;
use crate::{DnsRecord, Error, KeyAlgorithm, SigningKey};
use mail_auth::common::crypto::{Algorithm, SigningKey as _};
use mail_auth::common::headers::{Writable, Writer};
use mail_auth::dkim::{Canonicalization, Signature};
use postroad_model::message::{RenderedMessage, SignedMessage};
use postroad_model::{Domain, Timestamp};
use std::sync::Arc;

/// The fields that are signed where they are present, in the order of `h=` (RFC 6376 section 5.4.1, RFC 8058
/// section 4 for the unsubscribe fields).
const SIGNED_FIELDS: [&str; 13] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
];

/// How much of the header block is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// All fields that a relay leaves alone.
    Full,
    /// Without Message-ID and Date: for a relay that replaces them, which would break the signature.
    WithoutMessageIdAndDate,
}

impl Coverage {
    fn includes(self, field: &str) -> bool {
        match self {
            Self::Full => true,
            Self::WithoutMessageIdAndDate => !matches!(field, "Message-ID" | "Date"),
        }
    }
}

#[derive(Clone, Debug)]
struct SelectorKey {
    selector: String,
    key: Arc<SigningKey>,
}

/// The keys of one sending domain.
#[derive(Clone, Debug)]
pub struct Signer {
    domain: Domain,
    keys: Vec<SelectorKey>,
}

impl Signer {
    pub(crate) fn new(domain: &Domain) -> Self {
        Self { domain: domain.clone(), keys: Vec::new() }
    }

    pub(crate) fn with_key(&self, selector: &str, key: SigningKey) -> Result<Self, Error> {
        check_selector(selector)?;
        if self.keys.iter().any(|k| k.selector.eq_ignore_ascii_case(selector)) {
            let (domain, selector) = (self.domain.to_string(), selector.to_owned());
            return Err(Error::DuplicateSelector { domain, selector });
        }
        let mut signer = self.clone();
        signer.keys.push(SelectorKey { selector: selector.to_owned(), key: Arc::new(key) });
        signer.keys.sort_by_key(|k| k.key.algorithm());
        Ok(signer)
    }

    /// The domain that the signatures name in `d=`.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    pub(crate) fn records(&self) -> Vec<DnsRecord> {
        self.keys
            .iter()
            .filter_map(|k| DnsRecord::of(&self.domain, &k.selector, &k.key).ok())
            .collect()
    }

    /// Signs with every key of the domain; `at` becomes `t=`. The message's bytes stay as they are.
    ///
    /// # Errors
    /// When the header block is not one, has not exactly one From, or the crypto library refuses.
    pub fn sign(
        &self,
        message: RenderedMessage,
        coverage: Coverage,
        at: Timestamp,
    ) -> Result<SignedMessage, Error> {
        let parts = Parts::read(&message.bytes, coverage)
            .map_err(|reason| Error::Message { message_id: message.message_id.clone(), reason })?;
        let mut signature_fields = Vec::with_capacity(self.keys.len() * FIELD_CAPACITY);
        let mut body_hash = Vec::new();
        for SelectorKey { selector, key } in &self.keys {
            if body_hash.is_empty() {
                let body = Canonicalization::Relaxed.canonical_body(parts.body, 0);
                body_hash = key.inner.hash(body).as_ref().to_vec();
            }
            let mut signature = self.unsigned(selector, key, &parts, at);
            signature.bh.clone_from(&body_hash);
            let signed =
                key.inner.sign(SignedHeader { fields: &parts.fields, signature: &signature });
            signature.b = signed.map_err(|e| Error::Sign {
                message_id: message.message_id.clone(),
                selector: selector.clone(),
                reason: e.to_string(),
            })?;
            signature.write(&mut signature_fields, true);
        }
        Ok(SignedMessage { signature_fields, message, signed_by: vec![self.domain.clone()] })
    }

    fn unsigned(
        &self,
        selector: &str,
        key: &SigningKey,
        parts: &Parts<'_>,
        at: Timestamp,
    ) -> Signature {
        Signature {
            v: 1,
            a: match key.algorithm() {
                KeyAlgorithm::Rsa => Algorithm::RsaSha256,
                KeyAlgorithm::Ed25519 => Algorithm::Ed25519Sha256,
            },
            d: self.domain.to_string(),
            s: selector.to_owned(),
            h: parts.names.iter().map(|&name| name.to_owned()).collect(),
            t: u64::try_from(at.0 / 1000).unwrap_or(0),
            ch: Canonicalization::Relaxed,
            cb: Canonicalization::Relaxed,
            ..Signature::default()
        }
    }
}

/// A field of an RSA-2048 key is about 800 octets long.
const FIELD_CAPACITY: usize = 1024;

/// Where the fields to sign and the body lie in a message.
struct Parts<'m> {
    /// The content of `h=`.
    names: Vec<&'static str>,
    /// Name and value of each field that is there, in the order of `names`; several of one name from the last to
    /// the first (RFC 6376 section 5.4.2).
    fields: Vec<(&'m [u8], &'m [u8])>,
    /// Without trailing lines of blanks.
    body: &'m [u8],
}

impl<'m> Parts<'m> {
    fn read(message: &'m [u8], coverage: Coverage) -> Result<Self, &'static str> {
        let (all, body) = split(message)?;
        let (mut names, mut fields) = (Vec::with_capacity(16), Vec::with_capacity(16));
        for wanted in SIGNED_FIELDS.iter().copied().filter(|f| coverage.includes(f)) {
            let before = names.len();
            for &(name, value) in all.iter().rev() {
                if name.eq_ignore_ascii_case(wanted.as_bytes()) {
                    names.push(wanted);
                    fields.push((name, value));
                }
            }
            if wanted == "From" {
                match names.len() - before {
                    1 => names.push(wanted),
                    0 => return Err("it has no From field"),
                    _ => return Err("it has several From fields"),
                }
            }
        }
        Ok(Self { names, fields, body: without_blank_end(body) })
    }
}

type Field<'m> = (&'m [u8], &'m [u8]);

/// Splits a message into its fields (value with its CRLF) and its body.
fn split(message: &[u8]) -> Result<(Vec<Field<'_>>, &[u8]), &'static str> {
    let mut fields = Vec::with_capacity(24);
    let mut rest = message;
    while !rest.is_empty() {
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            return Ok((fields, body));
        }
        let end = field_end(rest).ok_or("a header field does not end in CRLF")?;
        let (field, tail) = rest.split_at(end);
        let colon = field.iter().position(|&b| b == b':').ok_or("a header line has no colon")?;
        let name = field[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err("a header field has no proper name");
        }
        fields.push((name, &field[colon + 1..]));
        rest = tail;
    }
    Ok((fields, b""))
}

/// The length of the first field with its continuation lines.
fn field_end(block: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let line = block[from..].windows(2).position(|w| w == b"\r\n")?;
        from += line + 2;
        if !matches!(block.get(from), Some(b' ' | b'\t')) {
            return Some(from);
        }
    }
}

/// The body without trailing lines that hold blanks only; the last line's CRLF goes too, canonicalisation puts it
/// back. A body of nothing but such lines is empty.
fn without_blank_end(body: &[u8]) -> &[u8] {
    let text = body.iter().rposition(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    text.map_or(b"", |last| &body[..=last])
}

/// What is hashed and signed: the fields, then the signature's own without `b=` (RFC 6376 section 3.7).
struct SignedHeader<'a> {
    fields: &'a [(&'a [u8], &'a [u8])],
    signature: &'a Signature,
}

impl Writable for SignedHeader<'_> {
    fn write(self, writer: &mut impl Writer) {
        Canonicalization::Relaxed.canonicalize_headers(self.fields.iter().copied(), writer);
        self.signature.write(writer, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Result<&str, &str>) {
        let got = Parts::read(message.as_bytes(), Coverage::Full).map(|p| p.names.join(":"));
        assert_eq!(got, expected.map(str::to_owned), "{message:?}");
    }

    #[test]
    fn fields_are_named_where_present_and_from_once_more() {
        check("From: a@b.c\r\n\r\nx", Ok("From:From"));
        check("X: y\r\nsubject: s\r\nFROM : a@b.c\r\n\r\n", Ok("From:From:Subject"));
        check(
            "From: a@b.c\r\nTo: x,\r\n\ty\r\nList-Unsubscribe: <u>\r\n\r\n",
            Ok("From:From:To:List-Unsubscribe"),
        );
        check("From: a@b.c\r\nReply-To: x\r\nReply-To: y\r\n", Ok("From:From:Reply-To:Reply-To"));
    }

    #[test]
    fn what_is_no_header_block_is_refused() {
        check("", Err("it has no From field"));
        check("Subject: x\r\n\r\nFrom: a@b.c\r\n", Err("it has no From field"));
        check("From: a@b.c\r\nFrom: d@e.f\r\n\r\n", Err("it has several From fields"));
        check("From: a@b.c", Err("a header field does not end in CRLF"));
        check("From: a@b.c\r\nnonsense\r\n\r\n", Err("a header line has no colon"));
        check(": a\r\n\r\n", Err("a header field has no proper name"));
    }

    #[test]
    fn a_relay_that_replaces_message_id_and_date_does_not_break_the_signature() {
        let message = b"From: a@b.c\r\nDate: d\r\nMessage-ID: <m>\r\nSubject: s\r\n\r\n";
        let parts = Parts::read(message, Coverage::WithoutMessageIdAndDate).unwrap();
        assert_eq!(parts.names.join(":"), "From:From:Subject");
    }

    #[test]
    fn trailing_lines_of_blanks_are_left_out_of_the_body() {
        let check = |body: &str, expected: &str| {
            assert_eq!(without_blank_end(body.as_bytes()), expected.as_bytes(), "{body:?}");
        };
        check("a\r\n \r\n", "a");
        check("a \t\r\n\t\r\n\r\n", "a");
        check(" a\r\n\r\nb", " a\r\n\r\nb");
        check(" \r\n\r\n", "");
        check("", "");
    }
}
