//! What this process counts as it happens, and the registry behind all numbers.
//!
//! Every method is cheap (one look-up under a read lock and one atomic addition) and may be called from any thread.
//! Whoever starts to work on a campaign says so once with [`Metrics::campaign_started`]; a series that a later event
//! makes by itself works too, but its first event is lost to `rate()`.

use crate::labels::{
    ConnectionState, HttpRoute, MessageResult, PreflightCheck, ReplyClass, USUAL_BOUNCES,
    bounce_kind,
};
use crate::names::{self, Definition, Kind};
use crate::placement::{PlacementSnapshot, PlacementVecs};
use crate::snapshot::SnapshotVecs;
use crate::{Result, Snapshot};
use postroad_model::MailboxProvider;
use postroad_model::delivery::DeliveryState;
use postroad_model::open::OpenKind;
use postroad_model::verdict::{BounceKind, Reason};
use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A check of a sending domain that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The domain, as the configuration has it.
    pub domain: String,
    /// What was checked.
    pub check: PreflightCheck,
    /// Whether all is well.
    pub passed: bool,
}

/// The published numbers. One per process, shared behind an `Arc`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    messages: IntCounterVec,
    replies: IntCounterVec,
    send_duration: HistogramVec,
    delivery_delay: HistogramVec,
    connections: IntGaugeVec,
    unsubscribes: IntCounterVec,
    opens: IntCounterVec,
    bounces: IntCounterVec,
    complaints: IntCounterVec,
    http: IntCounterVec,
    preflight: IntGaugeVec,
    gauges: SnapshotVecs,
    placements: PlacementVecs,
    /// Campaigns that have series. Held while gauges are replaced or read, so that no scrape sees half of them.
    campaigns: Mutex<BTreeSet<String>>,
}

impl Metrics {
    /// All numbers at 0, for a program of this version.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let registry = Registry::new();
        let metrics = Self {
            messages: counter_vec(&registry, &names::MESSAGES),
            replies: counter_vec(&registry, &names::SMTP_REPLIES),
            send_duration: histogram_vec(&registry, &names::SEND_DURATION),
            delivery_delay: histogram_vec(&registry, &names::DELIVERY_DELAY),
            connections: int_gauge_vec(&registry, &names::CONNECTIONS),
            unsubscribes: counter_vec(&registry, &names::UNSUBSCRIBES),
            opens: counter_vec(&registry, &names::OPENS),
            bounces: counter_vec(&registry, &names::BOUNCES),
            complaints: counter_vec(&registry, &names::COMPLAINTS),
            http: counter_vec(&registry, &names::HTTP_REQUESTS),
            preflight: int_gauge_vec(&registry, &names::PREFLIGHT),
            gauges: SnapshotVecs::new(&registry),
            placements: PlacementVecs::new(&registry),
            campaigns: Mutex::new(BTreeSet::new()),
            registry,
        };
        int_gauge_vec(&metrics.registry, &names::BUILD_INFO).with_label_values(&[version]).set(1);
        for route in HttpRoute::ALL {
            metrics.http.with_label_values(&[route.as_str(), ReplyClass::Success.as_str()]);
        }
        metrics
    }

    /// Makes a campaign's counters at 0, for the relays that may send it and the providers of its recipients. To be
    /// called when a campaign starts and when a process first works on it; repeating it changes nothing.
    pub fn campaign_started(&self, campaign: &str, relays: &[&str], providers: &[MailboxProvider]) {
        self.known().insert(campaign.to_owned());
        for provider in providers.iter().map(|p| p.as_str()) {
            self.delivery_delay.with_label_values(&[provider]);
            for relay in relays {
                let success = ReplyClass::Success.as_str();
                self.replies.with_label_values(&[relay, provider, success, "none"]);
                self.send_duration.with_label_values(&[relay, &provider]);
                for result in MessageResult::ALL {
                    let labels = [campaign, relay, provider, result.as_str()];
                    self.messages.with_label_values(&labels);
                }
                self.complaints.with_label_values(&[campaign, relay, provider]);
                for (kind, reason) in USUAL_BOUNCES {
                    let (kind, reason) = (bounce_kind(kind), reason.as_str());
                    self.bounces.with_label_values(&[campaign, relay, provider, kind, reason]);
                }
            }
        }
        self.make_unsubscribes(campaign);
    }

    /// A delivery of the audience came to this state through a relay. States that are still open count nothing.
    pub fn outcome(
        &self,
        campaign: &str,
        relay: &str,
        provider: MailboxProvider,
        state: DeliveryState,
    ) {
        if let Some(result) = MessageResult::of(state) {
            self.message(campaign, relay, provider, result);
        }
    }

    /// The recipient's side deferred a delivery; it comes again.
    pub fn deferred(&self, campaign: &str, relay: &str, provider: MailboxProvider) {
        self.message(campaign, relay, provider, MessageResult::Deferred);
    }

    fn message(&self, campaign: &str, relay: &str, provider: MailboxProvider, as_: MessageResult) {
        let labels = [campaign, relay, provider.as_str(), as_.as_str()];
        self.messages.with_label_values(&labels).inc();
    }

    /// A reply that decided an attempt. `reason` is the classifier's; none for a success.
    pub fn smtp_reply(
        &self,
        relay: &str,
        provider: MailboxProvider,
        class: ReplyClass,
        reason: Option<Reason>,
    ) {
        let reason = reason.map_or("none", Reason::as_str);
        let labels = [relay, provider.as_str(), class.as_str(), reason];
        self.replies.with_label_values(&labels).inc();
    }

    /// The time from MAIL FROM to the reply that decided the message.
    pub fn send_duration(&self, relay: &str, provider: MailboxProvider, took: Duration) {
        let labels = [relay, provider.as_str()];
        self.send_duration.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// The time from the first lease of a message to its acceptance.
    pub fn delivery_delay(&self, provider: MailboxProvider, waited: Duration) {
        self.delivery_delay.with_label_values(&[provider.as_str()]).observe(waited.as_secs_f64());
    }

    /// How many connections to a relay are in a state now.
    pub fn connections(&self, relay: &str, state: ConnectionState, open: usize) {
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.connections.with_label_values(&[relay, state.as_str()]).set(open);
    }

    /// A person left a list through a link of this campaign.
    pub fn unsubscribed(&self, campaign: &str, provider: MailboxProvider) {
        self.known().insert(campaign.to_owned());
        self.unsubscribes.with_label_values(&[campaign, provider.as_str()]).inc();
    }

    /// Something came back about a delivery and was recorded: a bounce, a complaint, an automatic answer.
    pub fn came_back(
        &self,
        campaign: &str,
        relay: &str,
        provider: MailboxProvider,
        kind: BounceKind,
        reason: Reason,
    ) {
        self.known().insert(campaign.to_owned());
        let provider = provider.as_str();
        if kind == BounceKind::Complaint {
            self.complaints.with_label_values(&[campaign, relay, provider]).inc();
        } else {
            let labels = [campaign, relay, provider, bounce_kind(kind), reason.as_str()];
            self.bounces.with_label_values(&labels).inc();
        }
    }

    /// The image of a message of this campaign was fetched, the first time in this way.
    pub fn opened(&self, campaign: &str, provider: MailboxProvider, kind: OpenKind) {
        self.known().insert(campaign.to_owned());
        self.opens.with_label_values(&[campaign, provider.as_str(), kind.as_str()]).inc();
    }

    /// A seed mailbox could not be looked into.
    pub fn seed_login_failed(&self, provider: MailboxProvider) {
        self.placements.login_failed(provider);
    }

    /// A seed's copy arrived so long after a relay took it.
    pub fn seed_arrived(&self, provider: MailboxProvider, after: Duration) {
        self.placements.arrived(provider, after);
    }

    /// What the checks of the sending domains said last; domains that are not in it have no series.
    pub fn preflight(&self, checks: &[Preflight]) {
        self.preflight.reset();
        for Preflight { domain, check, passed } in checks {
            let labels = [domain, check.as_str()];
            self.preflight.with_label_values(&labels).set(i64::from(*passed));
        }
    }

    /// An HTTP request was answered.
    pub fn http_request(&self, route: HttpRoute, status: u16) {
        let class = ReplyClass::of_code(status).as_str();
        self.http.with_label_values(&[route.as_str(), class]).inc();
    }

    /// Replaces all gauges that come from the database, and drops the series of campaigns that are not in it.
    pub fn set_snapshot(&self, snapshot: &Snapshot) {
        let mut known = self.known();
        self.gauges.set(snapshot);
        let alive: BTreeSet<String> = snapshot.campaigns.iter().map(|c| c.name.clone()).collect();
        for gone in known.difference(&alive) {
            forget(&self.messages, gone);
            forget(&self.unsubscribes, gone);
            forget(&self.opens, gone);
            forget(&self.bounces, gone);
            forget(&self.complaints, gone);
            self.placements.forget(gone);
        }
        for new in alive.difference(&known) {
            self.make_unsubscribes(new);
        }
        for campaign in snapshot.campaigns.iter().filter(|c| c.opens.is_some()) {
            self.make_opens(&campaign.name);
        }
        *known = alive;
    }

    /// Replaces all gauges about seed mailboxes. Campaigns that the snapshot before it did not have are left out: their
    /// series would outlive them.
    pub fn set_placements(&self, placements: &PlacementSnapshot) {
        let known = self.known();
        self.placements.set(placements, &known);
    }

    /// The database did not answer: gauges from it are shown no more, rather than old ones.
    pub fn snapshot_failed(&self) {
        let _known = self.known();
        self.gauges.clear();
        self.placements.clear();
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// A number that the format cannot hold.
    pub fn render(&self) -> Result<String> {
        let _known = self.known();
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    fn make_unsubscribes(&self, campaign: &str) {
        for provider in MailboxProvider::ALL {
            self.unsubscribes.with_label_values(&[campaign, provider.as_str()]);
        }
    }

    fn make_opens(&self, campaign: &str) {
        for provider in MailboxProvider::ALL {
            for kind in OpenKind::ALL {
                self.opens.with_label_values(&[campaign, provider.as_str(), kind.as_str()]);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // The set stays whole whatever its holder did.
        self.campaigns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes all series of a campaign.
pub(crate) fn forget<B: MetricVecBuilder>(vec: &MetricVec<B>, campaign: &str) {
    for family in vec.collect() {
        for metric in family.get_metric() {
            let labels: HashMap<&str, &str> =
                metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            if labels.get("campaign") == Some(&campaign) {
                // It fails when another call removed it meanwhile, which is what is wanted.
                let _ = vec.remove(&labels);
            }
        }
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, vec: C) -> C {
    registry.register(Box::new(vec.clone())).expect("names.rs has each name once, as a test shows");
    vec
}

fn opts(definition: &Definition) -> Opts {
    Opts::new(definition.name, definition.help)
}

const VALID: &str = "names.rs has only valid names and labels, as a test shows";

pub(crate) fn counter_vec(registry: &Registry, d: &Definition) -> IntCounterVec {
    debug_assert_eq!(d.kind, Kind::Counter);
    register(registry, IntCounterVec::new(opts(d), d.labels).expect(VALID))
}

pub(crate) fn int_gauge_vec(registry: &Registry, d: &Definition) -> IntGaugeVec {
    debug_assert_eq!(d.kind, Kind::Gauge);
    register(registry, IntGaugeVec::new(opts(d), d.labels).expect(VALID))
}

pub(crate) fn gauge_vec(registry: &Registry, d: &Definition) -> GaugeVec {
    debug_assert_eq!(d.kind, Kind::Gauge);
    register(registry, GaugeVec::new(opts(d), d.labels).expect(VALID))
}

pub(crate) fn histogram_vec(registry: &Registry, d: &Definition) -> HistogramVec {
    let buckets = match d.kind {
        Kind::Histogram(buckets) => buckets.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    };
    let opts = HistogramOpts::new(d.name, d.help).buckets(buckets);
    register(registry, HistogramVec::new(opts, d.labels).expect(VALID))
}
