//! Reads the store before a scrape and hands the gauges to `metrics`.
//!
//! Scrapes that come close together share one reading, so that a curious operator or a second Prometheus costs the
//! database nothing. A database that does not answer costs the scrape its gauges, not the scrape.

use crate::App;
use postroad_metrics::{
    BrakeGauges, CampaignGauges, FeedbackGauges, LaneGauges, PlacementSnapshot, QuotaGauges,
    Snapshot,
};
use postroad_model::{CampaignId, RelayId, Timestamp};
use postroad_store::{Brake, CampaignGlance, Lane, LimitBook, Store, Tally};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A reading is used again for this long.
const FRESH_MS: i64 = 2_000;
/// Series of a campaign stay this long after its end.
const SHOWN_AFTER_END_MS: i64 = 86_400_000;
/// Below Prometheus' usual scrape time-out of 10 s.
const READ_TIME: Duration = Duration::from_secs(8);

/// The last reading, and what needs no reading twice.
#[derive(Debug, Default)]
pub(crate) struct Exporter(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    read_at: Option<Timestamp>,
    /// What is needed of the campaigns' settings, and the row's version when it was read: settings may hold attachments
    /// and are read once only.
    settings: HashMap<CampaignId, (i64, Kept)>,
}

/// What is needed of a campaign's settings.
#[derive(Debug, Clone)]
struct Kept {
    /// Domain of From.
    domain: String,
    /// The inbox rate that it wants itself.
    min_inbox: Option<f64>,
    /// Whether it counts opens.
    tracks_opens: bool,
}

/// A campaign that is shown.
pub(crate) struct Shown {
    pub id: CampaignId,
    pub name: String,
    /// The inbox rate that is wanted.
    pub min_inbox: Option<f64>,
}

impl Exporter {
    /// Brings the gauges up to date.
    pub(crate) async fn refresh(&self, app: &App) {
        let now = app.now();
        let mut memory = self.0.lock().await;
        if memory.read_at.is_some_and(|at| now.since_ms(at) < FRESH_MS) {
            return;
        }
        let settings = &mut memory.settings;
        let began = Instant::now();
        match tokio::time::timeout(READ_TIME, read(app, now, settings)).await {
            Ok(Ok((mut snapshot, placements))) => {
                snapshot.took = began.elapsed();
                app.metrics.set_snapshot(&snapshot);
                app.metrics.set_placements(&placements);
                memory.read_at = Some(now);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot read the gauges for metrics");
                app.metrics.snapshot_failed();
                memory.read_at = None;
            }
            Err(_) => {
                tracing::warn!("the database did not answer in time for metrics");
                app.metrics.snapshot_failed();
                memory.read_at = None;
            }
        }
    }
}

async fn read(
    app: &App,
    now: Timestamp,
    settings: &mut HashMap<CampaignId, (i64, Kept)>,
) -> postroad_store::Result<(Snapshot, PlacementSnapshot)> {
    let store: &Store = &app.store;
    let glances = store.campaigns_at_a_glance(now.plus_ms(-SHOWN_AFTER_END_MS)).await?;
    settings.retain(|id, _| glances.iter().any(|g| g.id == *id));
    let mut shown = Vec::with_capacity(glances.len());
    let mut campaigns = Vec::with_capacity(glances.len());
    let ids: Vec<CampaignId> = glances.iter().map(|g| g.id).collect();
    let mut opens = store.opens_of(&ids).await?;
    for glance in glances {
        let kept = match settings.get(&glance.id) {
            Some((version, kept)) if *version == glance.version => kept.clone(),
            Some(_) | None => {
                let read = store.campaign_by_id(glance.id).await?.campaign.settings;
                let domain = read.from.address.domain().as_str().to_owned();
                let kept = Kept {
                    domain,
                    min_inbox: read.canary.map(|c| c.min_inbox),
                    tracks_opens: read.track_opens,
                };
                settings.insert(glance.id, (glance.version, kept.clone()));
                kept
            }
        };
        let min_inbox = kept.min_inbox.or(app.min_inbox);
        shown.push(Shown { id: glance.id, name: glance.name.clone(), min_inbox });
        let opens = kept.tracks_opens.then(|| opens.remove(&glance.id).unwrap_or_default());
        campaigns.push(CampaignGauges { opens, ..campaign_gauges(glance, kept.domain) });
    }
    let names = store.relay_names().await?;
    let quotas = store.all_limits().await?.into_iter().filter_map(|b| quota_gauges(b, now));
    let lanes = store.lanes().await?.into_iter();
    let lanes = lanes.filter_map(|lane| lane_gauges(lane, &names)).collect();
    let quotas = quotas.collect();
    let feedback = feedback(store, &shown, &names).await?;
    let brakes = store.brakes(now).await?.into_iter();
    let brakes = brakes.filter_map(|brake| brake_gauges(brake, &names)).collect();
    let nodes_alive = Some(store.nodes_alive(now).await?);
    let placements = crate::placements::read(store, &shown, &names, now).await?;
    let snapshot = Snapshot {
        at: now,
        campaigns,
        quotas,
        lanes,
        brakes,
        feedback,
        nodes_alive,
        ..Snapshot::default()
    };
    Ok((snapshot, placements))
}

/// What came back of the campaigns that are shown.
async fn feedback(
    store: &Store,
    campaigns: &[Shown],
    relays: &BTreeMap<RelayId, String>,
) -> postroad_store::Result<Vec<FeedbackGauges>> {
    let ids: Vec<CampaignId> = campaigns.iter().map(|c| c.id).collect();
    let name = |id| campaigns.iter().find(|c| c.id == id).map(|c| c.name.clone());
    let gauge = |tally: Tally| {
        Some(FeedbackGauges {
            campaign: name(tally.campaign)?,
            relay: relays.get(&tally.relay).cloned().unwrap_or_default(),
            provider: tally.provider,
            kind: tally.kind,
            reason: tally.reason,
            count: tally.n + tally.weak,
        })
    };
    Ok(store.tallies(&ids).await?.into_iter().filter_map(gauge).collect())
}

fn campaign_gauges(glance: CampaignGlance, from_domain: String) -> CampaignGauges {
    CampaignGauges {
        name: glance.name,
        state: glance.state,
        from_domain,
        audience: glance.audience,
        recipients: glance.recipients,
        deferred: glance.deferred,
        oldest_due: glance.oldest_due,
        opens: None,
    }
}

/// `None` for a limit that cannot be evaluated, for instance of a zone that is no more: the engine says so.
fn quota_gauges(mut book: LimitBook, now: Timestamp) -> Option<QuotaGauges> {
    let used = book.book.used(&book.limit, now).ok()?;
    Some(QuotaGauges {
        relay: book.scope.strip_prefix("relay:").unwrap_or(&book.scope).to_owned(),
        window: book.limit.window.to_string(),
        amount: book.limit.amount,
        used,
        limit: book.limit.name,
    })
}

fn lane_gauges(lane: Lane, names: &BTreeMap<RelayId, String>) -> Option<LaneGauges> {
    Some(LaneGauges {
        relay: names.get(&lane.relay)?.clone(),
        lease_until: lane.lease_until,
        pause: lane.pause.map(|p| (p.until, p.reason, p.by)),
    })
}

/// `None` for a relay that is no more.
fn brake_gauges(brake: Brake, names: &BTreeMap<RelayId, String>) -> Option<BrakeGauges> {
    let relay = match brake.relay {
        Some(relay) => Some(names.get(&relay)?.clone()),
        None => None,
    };
    Some(BrakeGauges { relay, provider: brake.provider, by: brake.by, reason: brake.reason })
}
