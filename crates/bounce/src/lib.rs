//! What comes back, read as facts: the meaning of SMTP replies, of bounces, complaints and automatic answers.
//!
//! `delivery` asks for every reply that it cannot go on with, `feedback` for those quoted in bounces; both get the
//! same answer from the same table. Pure: no I/O, no clock. What always holds: a reply before MAIL FROM never
//! concerns a message, what is ours to fix never has scope `Recipient`, ordinary mail yields no report, and no
//! text makes a reader panic.

mod address;
mod autoreply;
mod charset;
mod codes;
mod dsn;
mod feedback;
mod fields;
mod gate;
mod html;
mod line;
mod mime;
mod notification;
mod phrases;
mod prose;
mod read;
mod reading;
mod recipients;
mod references;
mod reply;
mod returned;
mod rules;
mod table;
mod understand;
mod words;

pub use read::read;
pub use reading::{
    Action, Confidence, FeedbackType, Finding, MAX_DIAGNOSTIC, MAX_READ, MAX_REFERENCES,
    MAX_REPORTS, MAX_VALUE, Reading, References, Report,
};
pub use reply::classify_reply;
