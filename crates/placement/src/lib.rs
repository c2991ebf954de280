//! Placement: looks into the seed mailboxes for the copies of campaigns, and writes down where each landed.
//!
//! Hop 12 of docs/flow.md, beside `feedback`. It reads seed copies from the store, opens their mailboxes over IMAP with
//! `mailbox`, and writes what it saw; rates are made of that by model, and decided upon by others. One connection per
//! mailbox, in it all copies that are due, under the mailbox's once-only job. RFC 3501 (EXAMINE, BODY.PEEK), RFC 6154
//! (special-use), RFC 8601 (Authentication-Results).
//!
//! What must always hold: nothing in a mailbox changes, no message is marked as read; a copy counts only when its
//! X-Postroad-Ref, fetched and read with our key, names it; a look that failed never makes a copy missing. It never opens,
//! moves or rescues a message: a seed that engages would be judged as no recipient is.

#![warn(missing_docs)]

mod check;
mod error;
mod folders;
mod look;
mod pace;
mod run;
mod search;
mod sweep;

pub use check::{Checked, check};
pub use error::Error;
pub use look::{Looked, Which};
pub use pace::Pace;
pub use run::{Looking, run};

use postroad_mailbox::OpenAccess;
use postroad_metrics::Metrics;
use postroad_model::MailboxProvider;
use postroad_store::Store;
use std::sync::Arc;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// One seed mailbox of the configuration.
#[derive(Clone)]
pub struct SeedBox {
    /// Its name.
    pub name: String,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// How it is opened.
    pub access: OpenAccess,
}

/// Looks into seed mailboxes. Cheap to share behind an `Arc`.
pub struct Placements {
    store: Arc<Store>,
    pace: Pace,
    metrics: Option<Arc<Metrics>>,
}

impl Placements {
    /// For one store.
    #[must_use]
    pub fn new(store: Arc<Store>, pace: Pace, metrics: Option<Arc<Metrics>>) -> Self {
        Self { store, pace, metrics }
    }
}
