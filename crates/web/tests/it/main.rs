//! Both listeners over real HTTP on loopback, against a store with a campaign that waits to be sent.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too, what fails is the test")]

mod admin;
mod client;
mod hook;
mod limits;
mod open;
mod unsubscribe;
mod view;
mod world;
