//! Delivery from outside: what other crates and the engine's wiring can see of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

mod connection;
