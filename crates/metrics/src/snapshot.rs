//! Gauges that come from the database: they survive restarts and are the same whichever process counted.
//!
//! Web reads the store before each scrape, fills a [`Snapshot`] and hands it to `Metrics::set_snapshot`, which replaces
//! all of them at once. Campaigns in it are those that run, wait or ended less than a day ago; others have no series.
//! On several nodes each exports the same values: queries use `max by`, not `sum` (docs/guide/serve.md).

use crate::counting::{gauge_vec, int_gauge_vec};
use crate::labels::{bounce_kind, brake_setter, pause_reason};
use crate::names;
use crate::replaced::{Replaced, Round};
use postroad_model::delivery::DeliveryState;
use postroad_model::open::OpenKind;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{MailboxProvider, Timestamp};
use prometheus::{GaugeVec, IntGaugeVec, Registry};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the database says now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// When it was read.
    pub at: Timestamp,
    /// Campaigns that are not over, or ended less than a day ago.
    pub campaigns: Vec<CampaignGauges>,
    /// Limits that the ledger keeps.
    pub quotas: Vec<QuotaGauges>,
    /// Lanes.
    pub lanes: Vec<LaneGauges>,
    /// Brakes in force.
    pub brakes: Vec<BrakeGauges>,
    /// What came back, of the campaigns above.
    pub feedback: Vec<FeedbackGauges>,
    /// Nodes whose heartbeat is fresh; `None` when nobody looked.
    pub nodes_alive: Option<i64>,
    /// How long the reading took.
    pub took: Duration,
}

/// One campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CampaignGauges {
    /// Its name.
    pub name: String,
    /// `CampaignState::name`.
    pub state: String,
    /// Domain of its From.
    pub from_domain: String,
    /// Size of the frozen audience.
    pub audience: Option<i64>,
    /// Its recipients by state; states that are not there count 0.
    pub recipients: BTreeMap<DeliveryState, i64>,
    /// Scheduled ones that were tried before.
    pub deferred: i64,
    /// When the first of those may be tried again.
    pub oldest_due: Option<Timestamp>,
    /// Its opened messages by mailbox provider and kind; what is not there counts 0. `None` when it counts no opens.
    pub opens: Option<BTreeMap<(MailboxProvider, OpenKind), i64>>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaGauges {
    /// The relay's name, or `group:NAME`.
    pub relay: String,
    /// The limit's name.
    pub limit: String,
    /// Its window as text.
    pub window: String,
    /// What it allows.
    pub amount: i64,
    /// What is used.
    pub used: i64,
}

/// One lane.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneGauges {
    /// The relay's name.
    pub relay: String,
    /// Until when its holder may send.
    pub lease_until: Timestamp,
    /// Its pause: until when, why, by whom; also one that is over.
    pub pause: Option<(Timestamp, String, String)>,
}

/// One brake.
#[derive(Debug, Clone, PartialEq)]
pub struct BrakeGauges {
    /// The relay's name; `None`: all.
    pub relay: Option<String>,
    /// The mailbox provider; `None`: all.
    pub provider: Option<MailboxProvider>,
    /// Which service set it, or the operator.
    pub by: String,
    /// Why, beginning with the name of a `Reason` where there is one.
    pub reason: String,
}

/// How often something came back.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackGauges {
    /// The campaign's name.
    pub campaign: String,
    /// The relay's name.
    pub relay: String,
    /// The recipients' provider.
    pub provider: MailboxProvider,
    /// What kind.
    pub kind: BounceKind,
    /// Why.
    pub reason: Reason,
    /// How often.
    pub count: i64,
}

#[derive(Debug)]
pub(crate) struct SnapshotVecs {
    recipients: IntGaugeVec,
    audience: IntGaugeVec,
    info: IntGaugeVec,
    queue: IntGaugeVec,
    oldest: GaugeVec,
    quota_limit: IntGaugeVec,
    quota_used: IntGaugeVec,
    paused: IntGaugeVec,
    paused_until: GaugeVec,
    held: IntGaugeVec,
    feedback: Replaced,
    opens: Replaced,
    imbalance: IntGaugeVec,
    brakes: IntGaugeVec,
    nodes: IntGaugeVec,
    took: GaugeVec,
    success: IntGaugeVec,
}

impl SnapshotVecs {
    pub(crate) fn new(registry: &Registry) -> Self {
        let vecs = Self {
            recipients: int_gauge_vec(registry, &names::CAMPAIGN_RECIPIENTS),
            audience: int_gauge_vec(registry, &names::CAMPAIGN_AUDIENCE),
            info: int_gauge_vec(registry, &names::CAMPAIGN_INFO),
            queue: int_gauge_vec(registry, &names::QUEUE_MESSAGES),
            oldest: gauge_vec(registry, &names::QUEUE_OLDEST_AGE),
            quota_limit: int_gauge_vec(registry, &names::QUOTA_LIMIT),
            quota_used: int_gauge_vec(registry, &names::QUOTA_USED),
            paused: int_gauge_vec(registry, &names::RELAY_PAUSED),
            paused_until: gauge_vec(registry, &names::RELAY_PAUSED_UNTIL),
            held: int_gauge_vec(registry, &names::RELAY_LANE_HELD),
            feedback: Replaced::new(registry, &names::CAMPAIGN_FEEDBACK),
            opens: Replaced::new(registry, &names::CAMPAIGN_OPENS),
            imbalance: int_gauge_vec(registry, &names::CAMPAIGN_IMBALANCE),
            brakes: int_gauge_vec(registry, &names::BRAKE_ACTIVE),
            nodes: int_gauge_vec(registry, &names::NODES_ALIVE),
            took: gauge_vec(registry, &names::SNAPSHOT_DURATION),
            success: int_gauge_vec(registry, &names::SNAPSHOT_SUCCESS),
        };
        vecs.clear();
        vecs
    }

    pub(crate) fn clear(&self) {
        self.clear_few();
        self.feedback.clear();
        self.opens.clear();
    }

    /// All that has few series.
    fn clear_few(&self) {
        for vec in [
            &self.recipients,
            &self.audience,
            &self.info,
            &self.queue,
            &self.quota_limit,
            &self.quota_used,
            &self.paused,
            &self.held,
            &self.imbalance,
            &self.brakes,
            &self.nodes,
        ] {
            vec.reset();
        }
        self.took.reset();
        self.oldest.reset();
        self.paused_until.reset();
        self.success.with_label_values::<&str>(&[]).set(0);
    }

    pub(crate) fn set(&self, snapshot: &Snapshot) {
        self.clear_few();
        for campaign in &snapshot.campaigns {
            self.set_campaign(campaign, snapshot.at);
        }
        self.opens.replace(|round| snapshot.campaigns.iter().for_each(|c| set_opens(round, c)));
        for quota in &snapshot.quotas {
            let labels = [&quota.relay, &quota.limit, &quota.window];
            self.quota_limit.with_label_values(&labels).set(quota.amount);
            self.quota_used.with_label_values(&labels).set(quota.used);
        }
        for lane in &snapshot.lanes {
            self.set_lane(lane, snapshot.at);
        }
        for brake in &snapshot.brakes {
            let relay = brake.relay.as_deref().unwrap_or("all");
            let provider = brake.provider.map_or("all", MailboxProvider::as_str);
            let reason = pause_reason(&brake.by, &brake.reason);
            self.brakes
                .with_label_values(&[relay, provider, brake_setter(&brake.by), reason])
                .set(1);
        }
        self.feedback.replace(|round| {
            for back in &snapshot.feedback {
                let (provider, kind) = (back.provider.as_str(), bounce_kind(back.kind));
                let labels = [&back.campaign, &back.relay, provider, kind, back.reason.as_str()];
                round.set(&labels, back.count);
            }
        });
        if let Some(nodes) = snapshot.nodes_alive {
            self.nodes.with_label_values::<&str>(&[]).set(nodes);
        }
        self.took.with_label_values::<&str>(&[]).set(snapshot.took.as_secs_f64());
        self.success.with_label_values::<&str>(&[]).set(1);
    }

    fn set_campaign(&self, campaign: &CampaignGauges, now: Timestamp) {
        let name = campaign.name.as_str();
        let count = |state| campaign.recipients.get(&state).copied().unwrap_or(0);
        for state in DeliveryState::ALL {
            self.recipients.with_label_values(&[name, state.as_str()]).set(count(state));
        }
        if let Some(audience) = campaign.audience {
            self.audience.with_label_values(&[name]).set(audience);
            let sum: i64 = campaign.recipients.values().sum();
            self.imbalance.with_label_values(&[name]).set(audience - sum);
        }
        self.info.with_label_values(&[name, &campaign.from_domain, &campaign.state]).set(1);
        // The two were read one after the other: a row may have moved between.
        let fresh = (count(DeliveryState::Scheduled) - campaign.deferred).max(0);
        for (state, n) in [
            (DeliveryState::Scheduled.as_str(), fresh),
            ("deferred", campaign.deferred),
            (DeliveryState::Leased.as_str(), count(DeliveryState::Leased)),
            (DeliveryState::Sending.as_str(), count(DeliveryState::Sending)),
        ] {
            self.queue.with_label_values(&[name, state]).set(n);
        }
        let late = campaign.oldest_due.map_or(0, |due| now.since_ms(due).max(0));
        self.oldest.with_label_values(&[name]).set(seconds(late));
    }

    fn set_lane(&self, lane: &LaneGauges, now: Timestamp) {
        let relay = lane.relay.as_str();
        let held = i64::from(lane.lease_until > now);
        self.held.with_label_values(&[relay]).set(held);
        match lane.pause.as_ref().filter(|(until, ..)| *until > now) {
            Some((until, reason, by)) => {
                self.paused.with_label_values(&[relay, pause_reason(by, reason)]).set(1);
                self.paused_until.with_label_values(&[relay]).set(seconds(until.0));
            }
            None => self.paused.with_label_values(&[relay, "none"]).set(0),
        }
    }
}

/// All providers, so that one without any open is seen too.
fn set_opens(round: &mut Round<'_>, campaign: &CampaignGauges) {
    let Some(opens) = &campaign.opens else { return };
    for provider in MailboxProvider::ALL {
        for kind in OpenKind::ALL {
            let n = opens.get(&(*provider, kind)).copied().unwrap_or(0);
            round.set(&[&campaign.name, provider.as_str(), kind.as_str()], n);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of any century fit 53 bits")]
pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
