//! What the tests of every crate share: a simulated clock, real daemons that die with their test, golden files.
//!
//! Nothing but dev-dependencies may use this crate (docs/architecture.md). It knows `model` alone, so that the store
//! or the SMTP server can use it in their own tests. Its integration tests guard the whole repository: layers, owners
//! of crates, documents that must agree with the code.
//!
//! What must hold: a test that needs a program which is not there says `SKIPPED: ...` on stderr, and fails instead
//! where `POSTROAD_NO_SKIP` is set (CI does); no daemon outlives the tests that use it; only loopback addresses
//! are used, and no two test processes use the same one.
//!
//! ```no_run
//! use postroad_testkit::{SimClock, loopback, postgres};
//! let clock = SimClock::at("2026-11-30T08:00:00Z");
//! let address = loopback::address(); // 127.x.y.z:port, ours until the process ends
//! let Some(database) = postgres::database() else { return }; // SKIPPED was said
//! assert!(database.url().starts_with("postgres://"));
//! # let _ = (clock, address);
//! ```

pub mod builders;
pub mod certificate;
pub mod clock;
pub mod daemon;
pub mod deploy;
pub mod dovecot;
mod engines;
pub mod fuzz;
pub mod golden;
pub mod loopback;
pub mod name_server;
pub mod postfix;
pub mod postgres;
mod program;
pub mod prometheus;
pub mod rng;
pub mod rows;
pub mod skip;
pub mod smtp_sink;
pub mod smtp_source;
pub mod sqlite;

pub use clock::SimClock;
pub use rng::rng;
pub use skip::skip;
