//! What comes back: which delivery it speaks of, what it means, and what is done about it.
//!
//! Hop 12 of docs/flow.md. The ways in hand it mails and events of providers; it reads them with `bounce`, finds their
//! delivery by token, and writes one event per report through `store`: event, row, suppression, counters and tallies in
//! one transaction. What must always hold: the same report taken twice is recorded once; a report of an address that we
//! never sent to changes nothing; a block of us never counts against the recipient. It reads no clock and opens no
//! connection.

mod act;
mod correlate;
mod error;
mod incoming;
mod provider;
mod report;
mod sweep;
mod take;
mod taken;
pub mod ways;
pub mod webhook;

pub use error::Error;
pub use incoming::{Incoming, Permanence, ProviderEvent, ProviderWhat, Source};
pub use sweep::Swept;
pub use taken::{Done, Outcome, Taken};

use correlate::Found;
use postroad_bounce::Reading;
use postroad_metrics::Metrics;
use postroad_model::delivery::Role;
use postroad_model::feedback::{Act, BouncePolicy, Evidence};
use postroad_model::relay::Relay;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{CampaignId, Domain, RelayId, Timestamp};
use postroad_store::{EventKind, NewFeedback, Recorded, Store, SuppressWhen};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What this crate needs of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What is done about what.
    pub policy: BouncePolicy,
    /// The relays by their numbers in the database.
    pub relays: BTreeMap<RelayId, Arc<Relay>>,
    /// Domains whose every address is a tag of ours.
    pub bounce_domains: Vec<Domain>,
    /// Where this process counts what came back.
    pub metrics: Option<Arc<Metrics>>,
}

/// What understands a mail.
pub type Reader = fn(&[u8]) -> Reading;

/// Takes what comes back. Cheap to share behind an `Arc`; any number of tasks and nodes may call it at once.
pub struct Feedback {
    store: Arc<Store>,
    settings: Settings,
    read: Reader,
    /// When the rows of a campaign were counted last, for the rates by mailbox provider.
    recounts: Mutex<HashMap<CampaignId, Timestamp>>,
    /// Names of campaigns, for the metrics.
    names: Mutex<HashMap<CampaignId, String>>,
}

impl Feedback {
    /// For one store.
    #[must_use]
    pub fn new(store: Arc<Store>, settings: Settings) -> Self {
        let read = postroad_bounce::read;
        Self { store, settings, read, recounts: Mutex::default(), names: Mutex::default() }
    }

    /// The same with another reader of mails; tests give one that falls.
    #[must_use]
    pub fn reading_with(self, read: Reader) -> Self {
        Self { read, ..self }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// True for a local part whose tag is one of ours: what a listener may take mail for.
    #[must_use]
    pub fn is_tag(&self, local: &str) -> bool {
        correlate::envelope_token(self.store.keys(), local).is_some()
    }

    /// Ordinary mail that names one of our messages (the copy in a Sent folder, a person's answer) proves that a relay
    /// took it. The mail itself stays ordinary.
    async fn sign_of_life(&self, found: &Found, now: Timestamp) -> Result<bool> {
        if found.row.state.after_evidence(Evidence::Taken).is_none() {
            return Ok(false);
        }
        let new = NewFeedback {
            key: format!("sent_copy:{}.{}", found.row.id, found.copy_no),
            at: now,
            kind: EventKind::SentCopy,
            evidence: Evidence::Taken,
            verdict: None,
            strength: found.strength,
            said: (None, None, None),
            data: serde_json::json!({ "source": "a copy or an answer", "found_by": found.how })
                .to_string(),
            suppress: None,
            full: None,
            row: found.row.clone(),
        };
        let recorded = self.store.record_feedback(&new, now).await?;
        Ok(matches!(recorded, Recorded::Fresh { moved: Some(_), .. }))
    }

    /// Counts a fresh event where this process publishes numbers.
    async fn count(&self, new: &NewFeedback) -> Result<()> {
        let (Some(metrics), Some((kind, reason))) = (&self.settings.metrics, new.verdict) else {
            return Ok(());
        };
        if new.row.role == Role::Audience
            && let Some(campaign) = self.campaign_name(new.row.campaign).await?
        {
            let relay = self.settings.relays.get(&new.row.relay).map_or("", |r| r.name.as_str());
            metrics.came_back(&campaign, relay, new.row.provider, kind, reason);
        }
        Ok(())
    }

    async fn campaign_name(&self, id: CampaignId) -> Result<Option<String>> {
        let known = |names: &mut HashMap<_, _>| names.get(&id).cloned();
        if let Some(name) = self.with_names(known) {
            return Ok(Some(name));
        }
        let name = self.store.campaign_name(id).await?;
        if let Some(name) = &name {
            self.with_names(|names| names.insert(id, name.clone()));
        }
        Ok(name)
    }

    fn with_names<T>(&self, f: impl FnOnce(&mut HashMap<CampaignId, String>) -> T) -> T {
        f(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The suppression that the policy has for a report.
    fn suppression(
        &self,
        reason: Reason,
        kind: BounceKind,
        origin: impl FnOnce() -> String,
    ) -> Option<SuppressWhen> {
        match self.settings.policy.act(reason, kind) {
            Act::Suppress(threshold) => Some(SuppressWhen {
                threshold,
                reason: take::suppression(reason, threshold.after),
                origin: origin().split_whitespace().collect::<Vec<_>>().join(" "),
            }),
            Act::Nothing
            | Act::BackOff(_)
            | Act::PauseRelay(_)
            | Act::StopDomain(_)
            | Act::HoldCampaign(_)
            | Act::Unsubscribe => None,
        }
    }
}
