//! Looks into real and scripted mailboxes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod fake;
mod gmail;
mod looks;
mod service;
mod trouble;
mod world;
