//! The mailbox crate against a real Dovecot, and against servers that misbehave.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod fuzz;
mod imap;
mod misbehaviour;
mod pop3;
mod world;
