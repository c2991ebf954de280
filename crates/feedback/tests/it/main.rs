//! What comes back, from the mail or event to the rows, on both engines: each test runs on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod mails;
mod rates;
mod reader;
mod reports;
mod ways;
mod world;

use postroad_testkit::on_both_engines;
