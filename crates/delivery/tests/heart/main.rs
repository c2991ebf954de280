//! The heart, proven: the engine is killed, stopped and deferred while it sends; the sinks' record is the judge.
//!
//! Sinks run in the test's process, the engine in a child of its own (this same binary), so that a kill takes only
//! the engine. `HEART_KILLS` (20) and `HEART_WINDOW_MS` (12000) make it longer; `cargo xtask heart` does.

#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, its helpers too")]
#![expect(clippy::print_stdout, reason = "a trial says what it found")]

mod engine;
mod judge;
mod scene;
mod speed;
mod trials;
