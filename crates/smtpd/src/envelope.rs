//! Who is connected and what is being handed over: the facts that handlers and records see.
//!
//! Filled by the session from parsed commands (RFC 5321 section 4.1.1, RFC 3461, RFC 6531). Addresses
//! stand exactly as they were written between the angle brackets, quotes included, because the judges
//! compare them with what was sent; nothing is normalised here.

use std::{net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The connection: it lives longer than an envelope.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The server's name in records (several servers may share one recorder).
    pub server: Arc<str>,
    /// Counts up per server, from 1.
    pub connection: u64,
    /// Where the client calls from.
    pub remote: SocketAddr,
    /// What the client calls itself in EHLO, HELO or LHLO; empty before.
    pub helo: String,
    /// The account that logged in.
    pub account: Option<Arc<str>>,
    /// Whether the bytes are encrypted.
    pub encrypted: bool,
    /// Messages taken on this connection so far.
    pub messages: u32,
}

/// One mail transaction.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The reverse path; empty for `<>`.
    pub mail_from: String,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// The recipients accepted so far.
    pub rcpts: Vec<Recipient>,
}

impl Envelope {
    /// Forgets the transaction and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.mail_from.clear();
        self.parameters = MailParameters::default();
        self.rcpts.clear();
    }
}

/// The parameters of MAIL that a record keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// SIZE, if it was given (RFC 1870).
    pub size: Option<u64>,
    /// SMTPUTF8 was given (RFC 6531).
    pub smtputf8: bool,
    /// BODY (RFC 6152).
    pub body: BodyKind,
    /// RET (RFC 3461 section 4.3).
    pub ret: Option<DsnReturn>,
    /// ENVID, decoded (RFC 3461 section 4.4).
    pub envid: Option<String>,
}

/// BODY=
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// Not given, or 7BIT.
    #[default]
    SevenBit,
    /// 8BITMIME.
    EightBitMime,
}

/// RET=
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DsnReturn {
    /// The whole message comes back with a DSN.
    Full,
    /// Only its header.
    Headers,
}

/// One RCPT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// The forward path.
    pub address: String,
    /// NOTIFY as it was meant, such as `success,failure`; empty if not given.
    pub notify: String,
    /// ORCPT, decoded.
    pub orcpt: Option<String>,
}
