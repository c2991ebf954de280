//! Durable state: each method is one transaction named after what happened.
//!
//! Called by every service, calls only the database. Two engines stand behind one `Store` (`backend`): SQLite
//! inside the binary, PostgreSQL shared by many nodes. What must always hold: `deliveries` is the only place of
//! a row's state; no statement reads a clock, every one takes the time as an argument; the three writes of a
//! delivery (docs/states.md) are durable when their method returns.

mod audience;
mod backend;
mod brakes;
mod campaign_words;
mod campaigns;
mod canaries;
#[cfg(test)]
mod canaries_tests;
mod clock;
mod closing;
mod contacts;
mod counters;
mod error;
mod explain;
mod exporter;
mod feedback;
#[cfg(test)]
mod feedback_tests;
mod feedback_views;
mod feedback_words;
mod import_fates;
mod imports;
mod jobs;
mod lanes;
mod lease_words;
mod leases;
mod ledger;
mod lists;
mod opens;
#[cfg(test)]
mod opens_tests;
mod pages;
mod plans;
mod providers;
mod relays;
mod reports;
mod seed_counts;
mod seed_looks;
mod seeds;
#[cfg(test)]
mod seeds_tests;
mod sql;
#[cfg(test)]
mod stop_tests;
mod suppressions;
#[cfg(test)]
mod test_stores;
mod undo;
mod views;
mod write_lines;
#[cfg(test)]
mod write_tests;
mod writer;
mod writes;

pub use audience::{Candidate, LeftOut, RankRange, SLICE, Staged, Standing};
pub use backend::{Durability, Engine, Store, StoreSettings};
pub use brakes::Brake;
pub use campaigns::{NewCampaign, StoredCampaign};
pub use canaries::{CanaryRow, PlacedBrake, SpamBrake, SpamNote};
pub use clock::StoreClock;
pub use closing::{Ending, Reopening};
pub use contacts::{Attributes, ContactRecord, Erased, ExportedContact};
pub use counters::TALLY_DEFERRED;
pub use error::Error;
pub use explain::{AttemptRow, ContactStory, EventRow, RowStory, SubscriptionRow, SuppressionRow};
pub use exporter::{CampaignGlance, LinkOwner};
pub use feedback_views::{BounceEvent, BounceFilter, RawMail, Refusal, Tally};
pub use feedback_words::{EventKind, NewFeedback, Recorded, SentRow, Strength, SuppressWhen};
pub use imports::{Commit, IMPORT_SLICE, ImportInfo, ImportRow, ImportRun, ImportSlice, RowFate};
pub use jobs::{JOB_LEASE_MS, JobLease};
pub use lanes::{Lane, LanePause, Reclaimed, Takeover};
pub use lease_words::{Idle, LeaseAnswer, LeaseRequest, ServeWhich};
pub use leases::MAX_BATCH;
pub use ledger::{LedgerAct, LimitBook, Reserved};
pub use lists::{ListDeletion, ListInfo, Unsubscribe, UnsubscribeFrom, Unsubscribed};
pub use opens::{OpenCounts, OpenRecorded};
pub use pages::OverTime;
pub use plans::StoredPlan;
pub use providers::HostedContact;
pub use reports::{Count, ExportRow};
pub use seed_counts::{AuthenticationCounts, PlacementCells};
pub use seed_looks::{SeedLook, SeedMailboxRow};
pub use seeds::{Authentication, NewSeedCopy, SeedCopy};
pub use sql::{Statement, statements};
pub use suppressions::{Suppressed, Suppression};
pub use undo::UndoReport;
pub use views::ViewRow;
pub use writes::{
    Blocked, Charged, Claim, Intent, Seen, Settled, Settlement, Was, WriteAnswer, WriteBatch,
};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
