//! Identifiers: one newtype per kind of row, so that a contact's id never stands where a campaign's should.
//!
//! All are 64-bit integers because both engines keep those natively (BIGINT, INTEGER).

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! define_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

define_id! {
    /// A person with an address and attributes.
    ContactId,
    /// A named set of contacts.
    ListId,
    /// What is sent, to whom, when.
    CampaignId,
    /// One SMTP endpoint plus account, registered by its name.
    RelayId,
    /// A named set of relays, registered by its name.
    PoolId,
    /// One limit row of the ledger.
    LimitId,
    /// One run of `contact import`.
    ImportId,
    /// A stored suppression.
    SuppressionId,
    /// A node: one running engine.
    NodeId,
}

/// The key of a delivery row: its partition and its number inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The partition key: a large campaign has its own, small ones share one.
    pub bucket: i64,
    /// The row's number, unique over all buckets.
    pub id: i64,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.bucket, self.id)
    }
}

/// A serial that grows each time a lane changes hands; whoever holds an older one may write nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

/// The random number that a node makes before it leases a batch; every later write names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub i64);
