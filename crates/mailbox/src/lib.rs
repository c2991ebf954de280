//! Mailboxes over IMAP and POP3: each new message of a folder once, nothing deleted that its reader did not record.
//!
//! `feedback` reads bounces with it and `placement` looks for seeds: it connects, logs in, lists folders with their
//! special uses, waits for mail and hands messages over as bytes. The caller keeps a [`Position`] and decides what
//! becomes of a message. RFC 3501 and RFC 9051 (IMAP), RFC 2177 (IDLE), RFC 6154 (special-use), RFC 6851 (MOVE),
//! RFC 4315 (UIDPLUS), RFC 1939 and RFC 2449 (POP3), RFC 2595 (STLS), RFC 8314 (TLS from the first byte).
//!
//! What must always hold: certificates are verified; logins go in clear text to loopback only; every wait has an
//! end and every answer a bound; messages are peeked at, never marked as read; nothing is deleted or moved but by
//! the call of that name. It does not understand mail, keep state, or try again: its callers do.

#![warn(missing_docs)]

mod access;
mod error;
mod folder;
mod imap;
mod link;
mod pop3;
mod position;
mod query;
mod received;
mod seek;
mod utf7;

pub use access::{Access, Accessing, Login, OpenAccess, Timeouts};
pub use error::{Error, Result};
pub use folder::{Folder, Selectable, SpecialUse};
pub use imap::{Imap, Opening, Selected, Woken};
pub use pop3::Pop3;
pub use position::Position;
pub use query::Query;
pub use received::{Received, field, received};
pub use seek::Head;

/// A message as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its octets, at most as many as were asked for.
    pub bytes: Vec<u8>,
    /// Whether all of it is there.
    pub extent: Extent,
}

/// How much of a message was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// It is longer than the caller's bound.
    Cut,
}
