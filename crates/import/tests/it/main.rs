//! Imports as a user meets them, on SQLite and on PostgreSQL. All people here are invented.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking, as tests do")]

mod bad_input;
mod exporters;
mod fates;
mod files;
mod properties;
mod suppressions;
mod undo;
mod world;
