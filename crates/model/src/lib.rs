//! The words of Postroad and the rules that need no I/O.
//!
//! Everything that two other crates exchange is named here: addresses, relays, limits, campaigns, deliveries,
//! replies, tokens. The arithmetic of quota windows and the transitions of states are pure functions: time
//! comes in as an argument, nothing reads a clock, a file, a socket or a random number. Every other crate may
//! depend on this one; it depends on none of them (docs/architecture.md).

pub mod address;
pub mod campaign;
pub mod canary;
#[cfg(test)]
mod canary_tests;
pub mod contact;
pub mod delivery;
pub mod feedback;
pub mod filter;
pub mod id;
pub mod ledger;
pub mod limit;
pub mod message;
pub mod open;
pub mod placement;
pub mod plan;
pub mod provider;
pub mod rank;
pub mod relay;
pub mod reply;
pub mod secret;
pub mod seed;
pub mod send_window;
pub mod suppression;
pub mod time;
pub mod token;
pub mod verdict;
pub mod weighted;
pub mod when;

pub use address::{AddressError, Domain, EmailAddress};
pub use id::*;
pub use provider::MailboxProvider;
pub use reply::{EnhancedStatus, Reply};
pub use secret::Secret;
pub use time::{Clock, Timestamp};
