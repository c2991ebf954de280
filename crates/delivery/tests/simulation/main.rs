//! Histories of the engine's core on a simulated clock: scripted relays in memory, the real store, one thread.
//!
//! A failure is: more RCPTs at a relay's account than a limit allows in any window of it; a second copy; a row that
//! is lost, or that says something else than the relays' record; counters that differ from rows; another MAIL FROM after
//! a deferral; a dot without its own durable intent, or for somebody suppressed before that intent; a reservation that is
//! given back though its RCPT was written, or kept though it was not and nobody died; a quota that lies idle with people
//! waiting; an engine that does not come to its end. Not a failure: Unknown rows after a cut or a crash.
//!
//! Random histories print their seed; `SIM_SEED` runs one again, `SIM_SEEDS` says how many. Found cases go to
//! `reproductions`. Known sources of difference between two runs of one seed: none.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions")]

mod ops;
mod oracle;
mod process;
mod random;
mod relays;
mod reproductions;
mod scene;
mod script;
mod sim;
mod stories;
mod sweeps;
