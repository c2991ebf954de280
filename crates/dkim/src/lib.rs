//! Signs messages with DKIM (RFC 6376, RFC 8301, RFC 8463); nothing else in the program sees a private key.
//!
//! Hop 8 of a delivery: `render` made the message, [`KeyRing::sign`] puts one `DKIM-Signature` field per key in
//! front of it and leaves its bytes as they are, `delivery` sends it. `cli` makes keys through [`generate`] and
//! prints their DNS records.
//!
//! What must hold: only a key aligned with From signs (a message without one stays unsigned); List-Unsubscribe
//! and List-Unsubscribe-Post are covered where they are present (RFC 8058 section 4); From is signed once more
//! than it occurs, so that a second one breaks the signature; time comes in as an argument.
//!
//! It verifies nothing, asks no DNS, and never prints a key: `Debug` of every type here shows names only.

mod error;
mod generate;
mod key;
mod record;
mod ring;
mod sign;

pub use error::Error;
pub use generate::{GeneratedKey, generate};
pub use key::{KeyAlgorithm, SigningKey};
pub use record::DnsRecord;
pub use ring::KeyRing;
pub use sign::{Coverage, Signer};
