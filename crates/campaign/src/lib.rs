//! The life of a campaign: read, checked, planned, scheduled, started with a frozen audience, steered, reported.
//!
//! Called by `cli` and `web`; calls `store`, `planner` and `render`. It is the only caller of the planner and the
//! only writer of audiences. What must hold: everyone on a campaign's lists ends as one delivery row or with one
//! reason for being left out; a campaign's state only changes through `model::campaign`; what `schedule` copied
//! is what is sent. It sends nothing itself and reads no clock: `delivery` sends what stands in the rows, and the
//! time is an argument.

mod audience;
mod canary;
mod canary_spec;
mod check;
mod compose;
mod error;
mod explain;
mod export;
pub mod filter;
mod finding;
pub mod identity;
mod inbox;
mod lifecycle;
mod planning;
mod providers;
mod report;
mod scaffold;
mod schedule;
mod seeding;
mod setup;
mod spam_brake;
pub mod spec;
mod spec_keys;
mod supervisor;
mod test_send;

pub use audience::{AudienceStream, Decision, Freeze, Member, OWN_BUCKET_FROM, Reason, freeze};
pub use canary::{CanaryAct, CanaryReport};
pub use canary_spec::{RawCanary, RawShare};
pub use check::{CheckReport, ComposeFailure, IdentityLine, check};
pub use compose::{Composer, OPEN_PATH, OPEN_SUFFIX, Recipient, UNSUBSCRIBE_PATH, VIEW_PATH};
pub use error::Error;
pub use explain::{Story, explain};
pub use export::{ExportLine, Exporter};
pub use finding::{Finding, Severity};
pub use inbox::{Cell, Copy, Inbox, NotCovered, Pooled, Rate, SeedReport, inbox, seed_report};
pub use lifecycle::{Retried, cancel, pause, resume, resume_anyway, retry};
pub use planning::{Planned, forecast_now, plan};
pub use providers::{LookedUp, look_up_providers};
pub use report::{Apart, CameBack, Counting, Opens, QuotaReport, RelayReport, Report, report};
pub use scaffold::{Scaffold, scaffold};
pub use schedule::{Scheduled, preview, schedule};
pub use seeding::plan_seeds;
pub use setup::Setup;
pub use supervisor::{Happened, Supervisor};
pub use test_send::{TEST_MINUTES, TestAnswer, TestSend, send_test, test_answers};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
