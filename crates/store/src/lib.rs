//! Durable state: each method is one transaction named after what happened.
//!
//! Called by every service, calls only the database. Two engines stand behind one `Store` (`backend`): SQLite
//! inside the binary, PostgreSQL shared by many nodes. What must always hold: `deliveries` is the only place of
//! a row's state; no statement reads a clock, every one takes the time as an argument; the three writes of a
//! delivery (docs/states.md) are durable when their method returns.

mod backend;
mod error;
mod sql;

pub use backend::{Durability, Engine, Store, StoreSettings};
pub use error::Error;
pub use sql::{Statement, statements};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
