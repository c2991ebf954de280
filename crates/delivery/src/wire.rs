//! What the engine and the task of a connection say to each other.
//!
//! The engine's actions become [`Command`]s, one task per connection carries them out (`connection::run`) and
//! answers with batches of [`Event`]s; the simulation speaks the same words without sockets. RFC 5321 section 3.3
//! gives the order of things. What must always hold: every row that was offered comes back in exactly one event
//! that ends its stay on the connection (`Answered`, `EarlyReply`, `Refused`, `Lapsed`, `Unwritten`, `HandedBack`,
//! `Broken`; `Withdraw` ends it too), and the last event of a connection is `OpenFailed`, `Broken` or `Closed`. There
//! are no states of rows and no decisions here.

use std::fmt;

use memchr::memmem;
use postroad_model::{DeliveryId, Reply, Timestamp, reply::Phase};

use crate::{connection::capabilities::Capabilities, dial::DialFault, permit::Permit};

/// One connection, named by the engine; never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message as it goes after DATA, without its final dot: no line of it can end the message (RFC 5321 section
/// 4.5.2), and its last line is ended. So nothing but `Held::commit` makes the relay accept it.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// Doubles the dots that begin a line and ends the last line. Most messages are taken over without a copy.
    #[must_use]
    pub fn stuffed(message: Vec<u8>) -> Self {
        // A lone LF counts as the end of a line here: some relays take LF.LF for an end too.
        let mut dots = memmem::find_iter(&message, b"\n.").map(|lf| lf + 1).peekable();
        let mut bytes = if dots.peek().is_none() && message.first() != Some(&b'.') {
            drop(dots);
            message
        } else {
            let mut bytes = Vec::with_capacity(message.len() + 64);
            let mut from = 0;
            let first = (message.first() == Some(&b'.')).then_some(0);
            for dot in first.into_iter().chain(dots) {
                bytes.extend_from_slice(&message[from..dot]);
                bytes.push(b'.');
                from = dot;
            }
            bytes.extend_from_slice(&message[from..]);
            bytes
        };
        if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        Self(bytes)
    }

    /// The bytes as they are written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// One message with its envelope, ready for the wire.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The row.
    pub id: DeliveryId,
    /// MAIL FROM, without angle brackets.
    pub mail_from: String,
    /// RCPT TO, without angle brackets.
    pub rcpt: String,
    /// The signed message.
    pub body: Body,
    /// Its octets before dot-stuffing, for SIZE (RFC 1870).
    pub size: u64,
    /// An address or header is not ASCII (RFC 6531).
    pub needs_smtputf8: bool,
    /// No RCPT may be written from here on: the end of the sub-window that its quota is reserved in.
    pub use_by: Option<Timestamp>,
    /// ENVID (RFC 3461 section 4.4), not yet encoded.
    pub envid: Option<String>,
    /// ORCPT (RFC 3461 section 4.2): the address as the campaign knows it, not yet encoded.
    pub orcpt: Option<String>,
}

/// What the engine tells a connection.
#[derive(Debug)]
pub enum Command {
    /// Write this envelope; only on a connection that is idle.
    Offer(Box<Outgoing>),
    /// W2 is durable: write the final dot of the held row and, in the same write where the relay pipelines, the next
    /// envelope.
    Dot {
        /// The proof.
        permit: Permit,
        /// What follows on this connection.
        next: Option<Box<Outgoing>>,
    },
    /// W2 was refused: close without a dot.
    Withdraw,
    /// Say QUIT and close; a held row is withdrawn.
    Quit,
}

/// Whether a byte of the final dot may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DotWritten {
    /// Certainly not one.
    No,
    /// One at least, or (with TLS) it was tried.
    Maybe,
}

/// Whether a byte of RCPT may have left: a reservation is given back only when it is certain that none did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RcptWritten {
    /// Certainly not one.
    No,
    /// The RCPT is spent.
    Yes,
}

/// Why nothing of an offered row was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unwritten {
    /// It needs SMTPUTF8 and the relay does not offer it.
    NeedsSmtputf8,
    /// It is larger than the relay announced to take (RFC 1870).
    TooLarge {
        /// The announced limit.
        max: u64,
    },
    /// An address would break out of its command. `EmailAddress` lets none through; this is the second lock.
    BadAddress,
    /// The connection is over.
    Closing,
}

/// The row whose envelope was already on its way behind a dot when the connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextLost {
    /// The row.
    pub id: DeliveryId,
    /// Whether its RCPT is spent.
    pub rcpt: RcptWritten,
}

/// What happened on a connection. `at` is when it was read or noticed, by the clock that was given.
#[derive(Clone, Debug)]
pub enum Event {
    /// Connected, encrypted and logged in; ready for an offer.
    Opened {
        /// The connection.
        conn: ConnId,
        /// When.
        at: Timestamp,
        /// What the relay offers.
        capabilities: Capabilities,
    },
    /// It could not be opened; the connection is over.
    OpenFailed {
        /// The connection.
        conn: ConnId,
        /// When.
        at: Timestamp,
        /// Where and why.
        fault: Box<DialFault>,
    },
    /// 354 was read and the body is being written: ask for W2.
    Held {
        /// The connection.
        conn: ConnId,
        /// The row.
        id: DeliveryId,
        /// When.
        at: Timestamp,
    },
    /// The reply to the final dot.
    Answered {
        /// The connection.
        conn: ConnId,
        /// The row.
        id: DeliveryId,
        /// When.
        at: Timestamp,
        /// What was said.
        reply: Reply,
    },
    /// A 4yz or 5yz that was read before the dot: it settles the row, and the connection closes without a dot.
    EarlyReply {
        /// The connection.
        conn: ConnId,
        /// The row.
        id: DeliveryId,
        /// When.
        at: Timestamp,
        /// What was said.
        reply: Reply,
    },
    /// MAIL, RCPT or DATA was refused. Unless `Closed` follows in the same batch, the connection is idle again.
    Refused {
        /// The connection.
        conn: ConnId,
        /// The row.
        id: DeliveryId,
        /// When.
        at: Timestamp,
        /// Which command.
        phase: Phase,
        /// What was said.
        reply: Reply,
        /// Whether the RCPT is spent (it is, where commands are pipelined).
        rcpt: RcptWritten,
    },
    /// `use_by` was over before RCPT was written: release the row and reserve anew. The connection is idle again.
    Lapsed {
        /// The connection.
        conn: ConnId,
        /// The row.
        id: DeliveryId,
    },
    /// Nothing of this row was written. Unless it is `Closing`, the connection goes on.
    Unwritten {
        /// The connection.
        conn: ConnId,
        /// The row.
        id: DeliveryId,
        /// Why.
        why: Unwritten,
    },
    /// The permit had expired (or was another row's) before any byte of the dot; `Closed` follows.
    HandedBack {
        /// The connection.
        conn: ConnId,
        /// The row that was held.
        id: DeliveryId,
    },
    /// The connection broke under a row, and is over.
    Broken {
        /// The connection.
        conn: ConnId,
        /// When.
        at: Timestamp,
        /// The row.
        id: DeliveryId,
        /// Where in the dialogue.
        phase: Phase,
        /// `Maybe`: the outcome is unknown (RFC 1047).
        dot: DotWritten,
        /// Whether its RCPT is spent.
        rcpt: RcptWritten,
        /// The row behind it, if its envelope was on its way.
        next: Option<NextLost>,
        /// What happened, for people.
        detail: String,
    },
    /// The connection is over, and no row was on it.
    Closed {
        /// The connection.
        conn: ConnId,
        /// When.
        at: Timestamp,
        /// What the relay said last, where it closed: a 421, mostly.
        reply: Option<Reply>,
        /// Why, for people.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_can_never_end_a_message_by_itself() {
        let check = |message: &str, expected: &str| {
            let body = Body::stuffed(message.as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(body.as_bytes()), expected, "{message:?}");
        };
        check("Subject: x\r\n\r\nhello\r\n", "Subject: x\r\n\r\nhello\r\n");
        check("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n");
        check(".\r\n", "..\r\n");
        check("a\n.\nb\r\n", "a\n..\nb\r\n");
        check("..a\r\n.b", "...a\r\n..b\r\n");
        check("no end", "no end\r\n");
        check("a.b\r\n c.\r\n", "a.b\r\n c.\r\n");
        check("", "");
    }
}
