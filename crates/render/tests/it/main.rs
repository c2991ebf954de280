//! Messages as a whole: golden files, a strict reader, hostile data, the shipped templates.

#![expect(clippy::unwrap_used, reason = "a test binary: its helper functions are tests too")]

mod facts;
mod golden;
mod hostile;
mod shipped;
mod strict;
