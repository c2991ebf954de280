//! A message on its way from the template to the wire, as two types: rendered and signed.
//!
//! `render` is the only maker of a `RenderedMessage`, `dkim` of a `SignedMessage`; delivery sends nothing else.

use crate::{Domain, EmailAddress};

/// An RFC 5322 message: header fields and a 7-bit safe MIME body, CRLF line ends, not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedMessage {
    /// Header block and body. The header block ends in the first empty line.
    pub bytes: Vec<u8>,
    /// The address in the From field.
    pub from: EmailAddress,
    /// The value of Message-ID with its angle brackets.
    pub message_id: String,
    /// True when a header field holds UTF-8 outside encoded words (RFC 6532), so that SMTPUTF8 is needed.
    pub needs_smtputf8: bool,
}

/// A message ready for the wire: DKIM-Signature fields first, then the rendered bytes unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMessage {
    /// DKIM-Signature fields, each ended by CRLF; empty when no key is aligned with From.
    pub signature_fields: Vec<u8>,
    /// The rendered message.
    pub message: RenderedMessage,
    /// The signing domains, for the log.
    pub signed_by: Vec<Domain>,
}

impl SignedMessage {
    /// Length on the wire before dot-stuffing, for SIZE (RFC 1870).
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.signature_fields.len() + self.message.bytes.len()
    }
}
