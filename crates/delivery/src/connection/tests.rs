//! Connections against real servers: ours with scripted faults, one that is told each byte, and Postfix's.
//!
//! They stand inside the crate because only the committer can make permits.

mod faults;
mod harness;
mod held;
mod turns;
mod wire_bytes;
