//! What comes back, read as facts: the meaning of SMTP replies.
//!
//! `delivery` asks for every reply that it cannot go on with, `feedback` for those quoted in bounces; both get the
//! same answer from the same table. Pure: no I/O, no clock. What always holds: a reply before MAIL FROM never
//! concerns a message, what is ours to fix never has scope `Recipient`, and no text makes the reader panic.

mod reply;
mod rules;

pub use reply::classify_reply;
