//! What a lane asks W1 for and what it gets: the words of `leases`.
//!
//! Exchanged with the engine's driver and core; no statement is here.

use crate::Claim;
use crate::ledger::Reserved;
use postroad_model::delivery::Leased;
use postroad_model::{CampaignId, Epoch, LeaseToken, NodeId, PoolId, RelayId, Timestamp};

/// Which campaigns a lane serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServeWhich {
    /// All that run.
    All,
    /// One only: `campaign run`.
    Only(CampaignId),
}

/// A lane asks for work.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// The holder.
    pub node: NodeId,
    /// The lane.
    pub relay: RelayId,
    /// Its serial.
    pub epoch: Epoch,
    /// Where its limits are counted.
    pub scope: String,
    /// The pools that the relay belongs to.
    pub pools: Vec<PoolId>,
    /// Made by the node beforehand; names the batch in every later write.
    pub token: LeaseToken,
    /// How many rows at most.
    pub want: i64,
    /// Which campaigns.
    pub which: ServeWhich,
    /// Grows by one per request: fresh queues are served in turn.
    pub turn: u64,
}

/// What a lane got.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaseAnswer {
    /// The rows, in the order in which they are to be sent.
    pub rows: Vec<Leased>,
    /// What was taken from each ledger limit, once per row.
    pub reserved: Vec<Reserved>,
    /// No RCPT of this batch may be written from here on; absent when no ledger limit binds.
    pub use_by: Option<Timestamp>,
    /// The rows are a probe of a limit that the relay called full.
    pub probe: bool,
    /// Rows that were settled here instead: suppressed, expired, cancelled, erased.
    pub settled: u64,
    /// Why there are fewer rows than wanted.
    pub idle: Idle,
}

/// Why a lane got less than it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// It did not: more may be there.
    No,
    /// A limit is used up until then.
    Quota {
        /// When it frees.
        until: Timestamp,
    },
    /// Nothing is due; the next row may be at that time.
    NoRows {
        /// When, if a row waits.
        next: Option<Timestamp>,
    },
    /// The lane is paused until then.
    Paused {
        /// When it ends.
        until: Timestamp,
    },
    /// Another node has the lane, or its lease ran out.
    Lost,
}

impl Claim {
    /// Of a row that a lane got with a batch.
    #[must_use]
    pub fn of(row: &Leased, relay: RelayId, epoch: Epoch, token: LeaseToken) -> Self {
        let Leased { id, campaign, role, attempt, .. } = *row;
        Self { id, campaign, role, relay, epoch, token, attempt }
    }
}
