//! The server side of SMTP and LMTP, with faults that can be scripted.
//!
//! In the flow it stands at both ends of the road: as the *sink* it plays the relay that delivery
//! sends to (`postroad sink`, `profile = "sink"`, the demo, every test of delivery), and as a plain
//! server it is the door through which bounces come in, where another crate brings the [`Handler`].
//!
//! Standards: RFC 5321, RFC 2033 (LMTP), RFC 2920 (PIPELINING), RFC 3030 (CHUNKING), RFC 1870 (SIZE),
//! RFC 3461 (DSN), RFC 6531 (SMTPUTF8), RFC 2034 (ENHANCEDSTATUSCODES), RFC 3207 (STARTTLS),
//! RFC 4954 (AUTH).
//!
//! What always holds:
//! - an acceptance is recorded before one byte of its 250 is written;
//! - only CRLF.CRLF (or the last chunk of BDAT) ends a message;
//! - memory per connection is bounded: one read buffer, one message at most, one batch of replies.
//!
//! Deliberately absent: a queue, relaying, DNS, looking into a message beyond two header fields.
//! Time and randomness are arguments; only latencies, stalls and idle time-outs use tokio's timer.

#![warn(missing_docs)]

mod auth;
mod behaviour;
mod body;
mod command;
mod connection;
mod envelope;
mod error;
mod fault;
mod folder;
mod handler;
mod pattern;
mod policy;
pub mod presets;
mod quota;
mod record;
mod recorder;
mod reply;
mod server;
mod session;
mod settings;
mod sink;
mod stream;
mod terms;
mod tls;

pub use auth::{Account, Logins, Mechanism};
pub use behaviour::{
    Behaviour, Choice, DataWithoutRecipients, Extension, Fault, FaultAction, Greylist, Latency,
    Mix, MixBy, Moment, Phase, Quota, QuotaScope, QuotaUnit, RefuseAt, Rule, When,
};
pub use body::BodyUse;
pub use envelope::{BodyKind, DsnReturn, Envelope, MailParameters, Peer, Recipient};
pub use error::Error;
pub use folder::MailFolder;
pub use handler::{Answer, Handler, Later, Replies};
pub use record::{Kind, RecipientDsn, Record, RecordLog, peak_in_window};
pub use recorder::{Counting, Event, JsonLines, Memory, Recorder, Recorders};
pub use reply::{Enhanced, Reply, ReplyError};
pub use server::Server;
pub use settings::{Clock, Limits, Protocol, ServerSettings, Tls};
pub use sink::Sink;
pub use tls::tls_from_pem;
