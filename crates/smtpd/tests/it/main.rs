//! The server from outside: over loopback, as its clients see it.
//!
//! `dialogue` runs the scripts in `tests/dialogues`; the others need TLS, faults or threads.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

mod client;
mod dialogue;
mod faults;
mod records;
mod tls;
