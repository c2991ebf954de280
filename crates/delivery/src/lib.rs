//! Sends what the plan says, when it says, and records what the relay answered.
//!
//! `engine` is started by the binary: a `core` that decides, a driver that acts, a committer that writes W2 and W3
//! in shared commits, a keeper of the lanes' leases, one task per connection. docs/flow.md, hops 6 to 11. What must
//! always hold stands in design: only a durable intent makes a permit, only a permit sends a final dot.

mod chores;
pub mod committer;
pub mod compose;
pub mod connection;
pub mod core;
pub mod dial;
mod driver;
pub mod engine;
mod keeper;
pub mod observe;
pub mod pacer;
pub mod permit;
pub mod replies;
pub mod retry;
pub mod wire;

pub use compose::{Compose, ComposeFailure, Composed};
pub use engine::{Engine, EngineSettings, Login, Parts, Served, Snapshot};
