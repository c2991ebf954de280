//! What comes back, read as facts: the meaning of SMTP replies, of bounces, complaints and automatic answers.
//!
//! `delivery` asks `classify_reply` for every reply that it cannot go on with: the table `rules` says what it means and
//! what to do. `feedback` has mails read, and has providers' events judged by `classify_diagnostic`: what others quote is
//! wrapped, cut and translated, so its words are looked up in a table of their own first (`words`), then in `rules`.
//! Pure: no I/O, no clock. What always holds: a reply before MAIL FROM never
//! concerns a message, what is ours to fix never has scope `Recipient`, ordinary mail yields no report, and no
//! text makes a reader panic.

mod address;
mod autoreply;
mod charset;
mod codes;
mod diagnostic;
mod dsn;
mod feedback;
mod fields;
mod gate;
mod html;
mod line;
mod mime;
mod notification;
mod ours;
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

pub use codes::codes_in;
pub use diagnostic::{Judged, Refused, classify_diagnostic};
pub use read::read;
pub use reading::{
    Action, Confidence, FeedbackType, Finding, MAX_DIAGNOSTIC, MAX_READ, MAX_REFERENCES,
    MAX_REPORTS, MAX_VALUE, Reading, References, Report,
};
pub use reply::classify_reply;
