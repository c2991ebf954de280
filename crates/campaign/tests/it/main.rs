//! Campaigns from files to finished, on both engines: each test runs on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod acts;
mod canaries;
mod checks;
mod freezes;
mod providers;
mod seeds;
mod spam_brakes;
mod world;

use postroad_testkit::on_both_engines;
