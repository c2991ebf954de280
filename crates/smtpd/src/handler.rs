//! What a server asks of the program behind it.
//!
//! Two stand behind a server in this project: the [`crate::Sink`], and the bounce listener, which takes
//! only addresses that carry a token of ours. The connection asks in the order of the dialogue; an
//! answer may be there at once or come later. `at_ms` is the one look at the clock that verdict and
//! record share. What always holds: `message` is asked only when the final
//! dot (or last chunk) was read, and its reply is written only after it answered.

use std::{future::Future, pin::Pin};

use crate::{
    behaviour::Phase,
    body::BodyUse,
    envelope::{Envelope, Peer, Recipient},
    reply::Reply,
};

/// An answer that is still being worked out.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An answer, now or later; "now" costs nothing.
pub enum Answer<'a, T = Reply> {
    /// Here it is.
    Now(T),
    /// It needs I/O.
    Later(Later<'a, T>),
}

impl<T> Answer<'_, T> {
    pub(crate) async fn get(self) -> T {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

/// What the final dot is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replies {
    /// One reply for the message; LMTP repeats it for each recipient.
    One(Reply),
    /// LMTP: one per accepted recipient, in their order (RFC 2033 section 4.2).
    Each(Vec<Reply>),
}

impl Replies {
    pub(crate) fn any_positive(&self) -> bool {
        match self {
            Self::One(reply) => reply.is_positive(),
            Self::Each(replies) => replies.iter().any(Reply::is_positive),
        }
    }
}

/// The program behind a server.
pub trait Handler: Send + Sync + 'static {
    /// What `message` wants to see.
    fn wants(&self) -> BodyUse;

    /// A reply instead of the server's own at `greeting`, `ehlo`, `start_tls`, `auth` and `data`.
    fn instead(&self, _at: Phase, _peer: &Peer, _envelope: &Envelope) -> Option<Reply> {
        None
    }

    /// MAIL; the envelope has its sender.
    fn mail<'a>(&'a self, _at_ms: i64, _peer: &'a Peer, _envelope: &'a Envelope) -> Answer<'a> {
        Answer::Now(Reply::new(250, (2, 1, 0), "Sender ok"))
    }

    /// RCPT; the envelope has the recipients before it.
    fn rcpt<'a>(
        &'a self,
        at_ms: i64,
        peer: &'a Peer,
        envelope: &'a Envelope,
        recipient: &'a Recipient,
    ) -> Answer<'a>;

    /// A RCPT was read, and this is its reply, whoever gave it.
    fn saw_rcpt(
        &self,
        _at_ms: i64,
        _peer: &Peer,
        _envelope: &Envelope,
        _rcpt: &Recipient,
        _reply: &Reply,
    ) {
    }

    /// A final dot (or last chunk) was read; nothing is decided.
    fn saw_dot(&self, _at_ms: i64, _peer: &Peer, _envelope: &Envelope, _size: u64) {}

    /// The message: `bytes` is as much as `wants` asked for, `size` is what was sent.
    fn message<'a>(
        &'a self,
        at_ms: i64,
        peer: &'a Peer,
        envelope: &'a Envelope,
        bytes: &'a [u8],
        size: u64,
    ) -> Answer<'a, Replies>;
}
