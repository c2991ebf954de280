//! The binary as people and scripts use it: exit codes, stdout, stderr; nothing is looked at from inside.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod bad_input;
mod bounces;
mod campaigns;
mod canaries;
mod folder;
mod glance;
mod opens;
mod people;
mod schemas;
mod seeds;
mod seeing;
mod serving;
mod setup;
mod story;
mod ways;
