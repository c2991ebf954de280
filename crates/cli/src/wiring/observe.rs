//! Tells the metrics what became durable, with the names that the engine's numbers stand for.
//!
//! The engine's settlements name rows; the provider of each is noted when its message is composed. The note is dropped
//! at the settlement, so there are never more than rows on their way.

use postroad_delivery::core::Connections;
use postroad_delivery::observe::Observe;
use postroad_delivery::{Compose, ComposeFailure, Composed};
use postroad_metrics::{ConnectionState, Metrics, ReplyClass};
use postroad_model::delivery::{DeliveryState, Leased, Role};
use postroad_model::relay::Relay;
use postroad_model::{CampaignId, DeliveryId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{Settled, Settlement, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// Counts for the exporter.
pub struct Counted {
    metrics: Arc<Metrics>,
    store: Arc<Store>,
    relays: HashMap<RelayId, String>,
    runtime: Handle,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    rows: HashMap<DeliveryId, MailboxProvider>,
    campaigns: HashMap<CampaignId, String>,
}

impl Counted {
    /// To be made inside a tokio runtime.
    pub fn new(
        metrics: Arc<Metrics>,
        store: Arc<Store>,
        relays: &BTreeMap<String, RelayId>,
    ) -> Self {
        let relays = relays.iter().map(|(name, id)| (*id, name.clone())).collect();
        Self { metrics, store, relays, runtime: Handle::current(), notes: Mutex::default() }
    }

    fn notes<T>(&self, f: impl FnOnce(&mut Notes) -> T) -> T {
        f(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Called on composing threads, where the store may be waited for.
    fn note(&self, row: &Leased) {
        let known = self.notes(|notes| {
            notes.rows.insert(row.id, row.provider);
            notes.campaigns.contains_key(&row.campaign)
        });
        if known {
            return;
        }
        if let Ok(stored) = self.runtime.block_on(self.store.campaign_by_id(row.campaign)) {
            let relays: Vec<&str> = self.relays.values().map(String::as_str).collect();
            let name = stored.campaign.name;
            self.metrics.campaign_started(&name, &relays, MailboxProvider::ALL);
            self.notes(|notes| notes.campaigns.insert(row.campaign, name));
        }
    }
}

impl Observe for Counted {
    fn settled(&self, settlement: &Settlement, state: DeliveryState) {
        let claim = &settlement.claim;
        let (provider, campaign) = self.notes(|notes| {
            (notes.rows.remove(&claim.id), notes.campaigns.get(&claim.campaign).cloned())
        });
        let (Some(provider), Some(campaign)) = (provider, campaign) else { return };
        let relay = self.relays.get(&claim.relay).map_or("", String::as_str);
        if let Some(reply) = &settlement.reply {
            let class = ReplyClass::of_code(reply.code);
            self.metrics.smtp_reply(relay, provider, class, settlement.seen.reason);
        }
        if let Some(ms) = settlement.seen.took_ms {
            self.metrics.send_duration(relay, provider, millis(ms));
        }
        if claim.role != Role::Audience {
            return;
        }
        match settlement.settled {
            Settled::Deferred { .. } => self.metrics.deferred(&campaign, relay, provider),
            Settled::Accepted => {
                if let Some(ms) = settlement.seen.waited_ms {
                    self.metrics.delivery_delay(provider, millis(ms));
                }
                self.metrics.outcome(&campaign, relay, provider, state);
            }
            Settled::Rejected | Settled::Failed(_) | Settled::Unknown | Settled::PutBack { .. } => {
                self.metrics.outcome(&campaign, relay, provider, state);
            }
        }
    }
}

/// Publishes what a lane's connections are doing.
pub fn connections(metrics: &Metrics, relay: &str, open: Connections) {
    let Connections { opening, idle, busy } = open;
    for (state, n) in [
        (ConnectionState::Opening, opening),
        (ConnectionState::Idle, idle),
        (ConnectionState::Busy, busy),
    ] {
        metrics.connections(relay, state, n);
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// A composer that notes what it composes.
pub struct Noted {
    pub inner: Arc<dyn Compose>,
    pub counted: Arc<Counted>,
}

impl Compose for Noted {
    fn compose(
        &self,
        row: &Leased,
        relay: &Relay,
        now: Timestamp,
    ) -> Result<Composed, ComposeFailure> {
        self.counted.note(row);
        self.inner.compose(row, relay, now)
    }
}
