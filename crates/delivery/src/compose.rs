//! What the engine asks of the maker of messages.
//!
//! The binary implements it with render and dkim, tests with fixed texts. It is called on threads for CPU work,
//! never on the engine's own. What must always hold: the same row composes to the same unsigned bytes, and a row
//! that is bound keeps its MAIL FROM and Date.

use postroad_model::Timestamp;
use postroad_model::delivery::{Detail, Leased};
use postroad_model::relay::Relay;

/// A message with its envelope sender, ready for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// MAIL FROM, without angle brackets.
    pub mail_from: String,
    /// The keyed envelope identifier of this copy (RFC 3461 section 4.4): reports give it back where the relay forces
    /// another MAIL FROM.
    pub envelope_id: String,
    /// The signed message, CRLF line ends, not dot-stuffed.
    pub message: Vec<u8>,
    /// Hash of the unsigned bytes.
    pub content_hash: i64,
    /// The Date field.
    pub date: Timestamp,
    /// An address or a header field needs SMTPUTF8 (RFC 6531).
    pub needs_smtputf8: bool,
}

/// Why a row has no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComposeFailure {
    /// It cannot be made for this row through any relay.
    Row {
        /// Which kind of failure.
        detail: Detail,
        /// In words, for `explain`.
        text: String,
    },
    /// This relay cannot send as the row's identity; another may.
    NotThisRelay(String),
    /// The campaign's facts could not be read; the row can be tried later.
    Later(String),
}

/// Makes messages.
pub trait Compose: Send + Sync + 'static {
    /// Composes and signs one row for one relay. `now` becomes the Date of a row that is not bound yet.
    ///
    /// # Errors
    /// `ComposeFailure` says what becomes of the row.
    fn compose(
        &self,
        row: &Leased,
        relay: &Relay,
        now: Timestamp,
    ) -> Result<Composed, ComposeFailure>;
}
