//! The reader of bounces and the classifier of replies, from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod adversarial;
mod diagnostics;
mod formats;
mod fuzz;
mod generated;
mod replies;
mod samples;
