//! Gauges about seed mailboxes: where a campaign's copies landed, and the inbox rate that follows.
//!
//! Whoever reads placements from the database fills a [`PlacementSnapshot`] after `Metrics::set_snapshot` and hands it
//! to `Metrics::set_placements`, which replaces all of them at once. Rates are made here from the counts, so that counts,
//! rates, intervals and sample sizes of one scrape agree; only the rate of a whole campaign is given, because it is
//! weighted by the audience. The label `all` stands for all relays or all providers together.
//!
//! What must always hold: a rate has its interval and its sample size beside it, or none of them has a series; each place
//! of a known relay and provider has a series, at 0 too; a mailbox's address is never a label.

use crate::counting::{counter_vec, forget, gauge_vec, histogram_vec, int_gauge_vec};
use crate::names;
use crate::snapshot::seconds;
use postroad_model::placement::{AuthMethod, AuthResult, InboxRate, Placement, PlacementCounts};
use postroad_model::{MailboxProvider, Timestamp};
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const ALL: &str = "all";

/// What the database says of seeds now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlacementSnapshot {
    /// When it was read.
    pub at: Timestamp,
    /// Campaigns with seeds that are not over, or ended less than a day ago.
    pub campaigns: Vec<CampaignPlacement>,
    /// The last campaigns together.
    pub pooled: Vec<PlacementCell>,
    /// The mailboxes of the configuration.
    pub seeds: Vec<SeedMailbox>,
}

/// The seeds of one campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CampaignPlacement {
    /// Its name.
    pub campaign: String,
    /// The inbox rate that is wanted; `None` when none was named.
    pub target: Option<f64>,
    /// Counts by relay and provider.
    pub cells: Vec<PlacementCell>,
    /// The whole campaign's rate, weighted by the audience; `None`: that of all copies together stands for it.
    pub weighted: Option<InboxRate>,
    /// Relays and providers that no seed looks at.
    pub uncovered: Vec<(String, MailboxProvider)>,
    /// What the mailbox providers said of the sender's name, and how often.
    pub authentication: Vec<(MailboxProvider, AuthMethod, AuthResult, u32)>,
}

/// Copies that one relay sent to one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementCell {
    /// The relay's name.
    pub relay: String,
    /// The seeds' provider.
    pub provider: MailboxProvider,
    /// How many are where.
    pub counts: PlacementCounts,
}

/// One seed mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedMailbox {
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// When it was last looked into; before that, since when it should have been.
    pub looked_at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct PlacementVecs {
    placements: IntGaugeVec,
    rates: RateVecs,
    pooled: RateVecs,
    target: GaugeVec,
    uncovered: IntGaugeVec,
    authentication: IntGaugeVec,
    check_age: GaugeVec,
    logins_failed: IntCounterVec,
    arrival: HistogramVec,
}

/// A rate in its four numbers.
#[derive(Debug)]
struct RateVecs {
    ratio: GaugeVec,
    lower: GaugeVec,
    upper: GaugeVec,
    samples: IntGaugeVec,
}

impl RateVecs {
    fn set(&self, labels: &[&str], rate: Option<InboxRate>) {
        let Some(rate) = rate else { return };
        self.ratio.with_label_values(labels).set(rate.ratio);
        self.lower.with_label_values(labels).set(rate.lower);
        self.upper.with_label_values(labels).set(rate.upper);
        self.samples.with_label_values(labels).set(i64::from(rate.samples));
    }

    fn clear(&self) {
        for vec in [&self.ratio, &self.lower, &self.upper] {
            vec.reset();
        }
        self.samples.reset();
    }
}

impl PlacementVecs {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            placements: int_gauge_vec(registry, &names::SEED_PLACEMENTS),
            rates: RateVecs {
                ratio: gauge_vec(registry, &names::INBOX_RATIO),
                lower: gauge_vec(registry, &names::INBOX_RATIO_LOWER),
                upper: gauge_vec(registry, &names::INBOX_RATIO_UPPER),
                samples: int_gauge_vec(registry, &names::INBOX_SAMPLES),
            },
            pooled: RateVecs {
                ratio: gauge_vec(registry, &names::INBOX_POOLED_RATIO),
                lower: gauge_vec(registry, &names::INBOX_POOLED_LOWER),
                upper: gauge_vec(registry, &names::INBOX_POOLED_UPPER),
                samples: int_gauge_vec(registry, &names::INBOX_POOLED_SAMPLES),
            },
            target: gauge_vec(registry, &names::INBOX_TARGET),
            uncovered: int_gauge_vec(registry, &names::SEED_UNCOVERED),
            authentication: int_gauge_vec(registry, &names::SEED_AUTHENTICATION),
            check_age: gauge_vec(registry, &names::SEED_CHECK_AGE),
            logins_failed: counter_vec(registry, &names::SEED_LOGINS_FAILED),
            arrival: histogram_vec(registry, &names::SEED_ARRIVAL),
        }
    }

    pub(crate) fn login_failed(&self, provider: MailboxProvider) {
        self.logins_failed.with_label_values(&[provider.as_str()]).inc();
    }

    pub(crate) fn arrived(&self, provider: MailboxProvider, after: Duration) {
        self.arrival.with_label_values(&[provider.as_str()]).observe(after.as_secs_f64());
    }

    pub(crate) fn clear(&self) {
        self.rates.clear();
        self.pooled.clear();
        for vec in [&self.placements, &self.uncovered, &self.authentication] {
            vec.reset();
        }
        self.target.reset();
        self.check_age.reset();
    }

    /// Drops a campaign's series.
    pub(crate) fn forget(&self, campaign: &str) {
        for vec in [&self.placements, &self.uncovered, &self.authentication, &self.rates.samples] {
            forget(vec, campaign);
        }
        for vec in [&self.rates.ratio, &self.rates.lower, &self.rates.upper, &self.target] {
            forget(vec, campaign);
        }
    }

    pub(crate) fn set(&self, snapshot: &PlacementSnapshot, known: &BTreeSet<String>) {
        self.clear();
        for campaign in snapshot.campaigns.iter().filter(|c| known.contains(&c.campaign)) {
            self.set_campaign(campaign);
        }
        for (relay, provider, counts) in sums(&snapshot.pooled) {
            self.pooled.set(&[relay, provider], counts.rate());
        }
        for seed in &snapshot.seeds {
            let provider = seed.provider.as_str();
            self.logins_failed.with_label_values(&[provider]);
            self.arrival.with_label_values(&[provider]);
            let age = self.check_age.with_label_values(&[provider]);
            let own = seconds(snapshot.at.since_ms(seed.looked_at).max(0));
            age.set(age.get().max(own));
        }
    }

    fn set_campaign(&self, campaign: &CampaignPlacement) {
        let name = campaign.campaign.as_str();
        if let Some(target) = campaign.target {
            self.target.with_label_values(&[name]).set(target);
        }
        for cell in &campaign.cells {
            for placement in Placement::ALL {
                let labels = [name, &cell.relay, cell.provider.as_str(), placement.as_str()];
                let series = self.placements.with_label_values(&labels);
                series.add(i64::from(cell.counts.of(placement)));
            }
        }
        for (relay, provider, counts) in sums(&campaign.cells) {
            let whole = campaign.weighted.filter(|_| (relay, provider) == (ALL, ALL));
            self.rates.set(&[name, relay, provider], whole.or_else(|| counts.rate()));
        }
        for (relay, provider) in &campaign.uncovered {
            self.uncovered.with_label_values(&[name, relay, provider.as_str()]).set(1);
        }
        for (provider, method, result, seen) in &campaign.authentication {
            let labels = [name, provider.as_str(), method.as_str(), result.as_str()];
            self.authentication.with_label_values(&labels).add(i64::from(*seen));
        }
    }
}

/// The counts by relay and provider, by relay, by provider, and together.
fn sums(cells: &[PlacementCell]) -> Vec<(&str, &'static str, PlacementCounts)> {
    let mut sums: BTreeMap<(&str, &'static str), PlacementCounts> = BTreeMap::new();
    for cell in cells {
        let (relay, provider) = (cell.relay.as_str(), cell.provider.as_str());
        for key in [(relay, provider), (relay, ALL), (ALL, provider), (ALL, ALL)] {
            *sums.entry(key).or_default() += cell.counts;
        }
    }
    sums.into_iter().map(|((relay, provider), counts)| (relay, provider, counts)).collect()
}
