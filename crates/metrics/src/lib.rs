//! Every number that Postroad publishes, for Prometheus.
//!
//! Delivery and web count through the typed methods of [`Metrics`]; before each scrape web hands over a [`Snapshot`] of
//! what the database says (recipients by state, queues, quota, lanes), with a [`PlacementSnapshot`] of where the seeds'
//! copies landed, and asks for the text. Names, help texts and
//! label values stand in `names.rs` alone.
//!
//! What must always hold: no address, domain of a recipient, reply text or token is a label; every label but the
//! names of campaigns, relays and limits, and the From domain, comes from a closed list; gauges that outlive a restart
//! come from the database, never from what this process happened to see; a campaign's series go a day after its end.
//! Counters start at 0 with the process, and a campaign's at 0 with its start, so that `rate()` sees the first event.
//!
//! It does not read a clock, a file or a database, and it serves no HTTP (web does).

mod counting;
mod labels;
pub mod names;
mod placement;
mod replaced;
mod snapshot;

pub use counting::{Metrics, Preflight};
pub use labels::{
    ConnectionState, HttpRoute, MessageResult, PreflightCheck, ReplyClass, bounce_kind,
    brake_setter, pause_reason,
};
pub use placement::{CampaignPlacement, PlacementCell, PlacementSnapshot, SeedMailbox};
pub use snapshot::{
    BrakeGauges, CampaignGauges, FeedbackGauges, LaneGauges, QuotaGauges, Snapshot,
};

/// Why the numbers cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the metrics in Prometheus' text format")]
pub struct Error(#[from] prometheus::Error);

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
