//! A campaign's seeds in numbers: the inbox rate with its interval, by relay and mailbox provider, and each copy.
//!
//! For `status`, `report`, `seed report` and whoever shows a rate; the arithmetic is model's, so that all show the same. The
//! key names are part of the command line's promise (docs/schemas). What must hold: no rate without its interval, its sample
//! size and the word estimate: seeds never engage, filters are personal, so this is an alarm and no census.

use crate::Result;
use postroad_model::placement::{AuthResult, InboxRate, Placement, PlacementCounts};
use postroad_model::weighted::{ByProvider, POOLED, POOLED_READ, pooled, weighted};
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{SeedCopy, Store};
use serde::Serialize;
use std::collections::BTreeMap;

/// A rate as it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// The observed share, 0 to 1.
    pub ratio: f64,
    /// Lower end of the 95 % interval.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Copies that it rests on.
    pub samples: u32,
}

impl From<InboxRate> for Rate {
    fn from(rate: InboxRate) -> Self {
        let InboxRate { ratio, lower, upper, samples } = rate;
        Self { ratio, lower, upper, samples }
    }
}

/// The inbox rate of a campaign: an estimate from its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inbox {
    /// Always true: seeds never engage, so that a real recipient's filter may judge otherwise.
    pub estimate: bool,
    /// Weighted by the audience's mailbox providers, or that of all copies where none is at one of them (`covered` is 0
    /// then); absent as long as no copy says anything.
    pub rate: Option<Rate>,
    /// False where no copy tells of a provider of the audience: the rate is then that of all copies together.
    pub weighted: bool,
    /// The share of the audience at providers that the rate speaks for, 0 to 1.
    pub covered: f64,
    /// Mailbox providers of the audience that it does not speak for.
    pub uncovered: Vec<&'static str>,
    /// The seeds' copies by place.
    pub copies: BTreeMap<&'static str, u32>,
    /// The rates of their mailbox providers, all relays together.
    pub providers: BTreeMap<&'static str, Option<Rate>>,
    /// The rates of the relays, all mailbox providers together.
    pub relays: BTreeMap<String, Option<Rate>>,
}

impl Rate {
    /// `92 % (81 to 97 %) of 30 copies`.
    #[must_use]
    pub fn line(&self) -> String {
        let percent = |x: f64| (x * 100.0).round();
        let (ratio, lower, upper) = (percent(self.ratio), percent(self.lower), percent(self.upper));
        let copies = if self.samples == 1 { "copy" } else { "copies" };
        format!("{ratio} % ({lower} to {upper} %) of {} {copies}", self.samples)
    }
}

impl Inbox {
    /// One line for people: `about 92 % (81 to 97 %) of 30 copies, 2 pending; for 88 % of the audience`.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = match &self.rate {
            Some(rate) => format!("about {}", rate.line()),
            None => "nothing is known yet".to_owned(),
        };
        for placement in [Placement::Pending, Placement::Unknown] {
            if let Some(n) = self.copies.get(placement.as_str()) {
                line.push_str(&format!(", {n} {}", placement.as_str()));
            }
        }
        if self.weighted && self.covered < 0.995 {
            line.push_str(&format!("; for {} % of the audience", (self.covered * 100.0).round()));
        } else if self.rate.is_some() && !self.weighted {
            line.push_str("; none at the audience's mailbox providers");
        }
        line
    }
}

/// One relay and mailbox provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// The relay.
    pub relay: String,
    /// The mailbox provider.
    pub provider: &'static str,
    /// The copies by place.
    pub copies: BTreeMap<&'static str, u32>,
    /// Absent as long as no copy says anything.
    pub rate: Option<Rate>,
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// The seed.
    pub seed: String,
    /// Where it went.
    pub address: String,
    /// The mailbox provider.
    pub provider: &'static str,
    /// The relay that sent it.
    pub relay: String,
    /// The state of its row.
    pub state: &'static str,
    /// Where it landed.
    pub placement: &'static str,
    /// The folder.
    pub folder: Option<String>,
    /// The inbox's tab.
    pub tab: Option<String>,
    /// From the relay's acceptance to its arrival, in seconds.
    pub arrived_after_seconds: Option<i64>,
    /// SPF as the mailbox provider saw it.
    pub spf: Option<&'static str>,
    /// DKIM.
    pub dkim: Option<&'static str>,
    /// DMARC.
    pub dmarc: Option<&'static str>,
    /// How often it was looked for.
    pub looks: i64,
    /// When it is looked for next.
    pub next_look_at: Option<String>,
    /// What kept the last look from an answer.
    pub trouble: Option<String>,
}

/// A relay and a mailbox provider that no seed looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCovered {
    /// The relay.
    pub relay: String,
    /// The mailbox provider.
    pub provider: &'static str,
}

/// Everything about a campaign's seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedReport {
    /// The campaign.
    pub campaign: String,
    /// The whole campaign.
    pub inbox: Inbox,
    /// By relay and mailbox provider.
    pub cells: Vec<Cell>,
    /// What no seed looks at.
    pub not_covered: Vec<NotCovered>,
    /// Each copy.
    pub copies: Vec<Copy>,
    /// The last campaigns together, whatever their own: more copies, so a narrower interval.
    pub pooled: Pooled,
}

/// The newest campaigns with a copy that says something, all copies together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pooled {
    /// How many they are.
    pub campaigns: usize,
    /// Absent as long as no copy says anything.
    pub rate: Option<Rate>,
    /// By mailbox provider, all relays together.
    pub providers: BTreeMap<&'static str, Option<Rate>>,
    /// By relay, all mailbox providers together.
    pub relays: BTreeMap<String, Option<Rate>>,
}

/// The inbox rate of a campaign; `None` when it has no seeds.
///
/// # Errors
/// The database's.
pub async fn inbox(store: &Store, id: CampaignId) -> Result<Option<Inbox>> {
    let copies = store.seed_copies(id).await?;
    if copies.is_empty() {
        return Ok(None);
    }
    let mix = store.provider_mix(id).await?;
    let names = store.relay_names().await?;
    Ok(Some(estimate(&copies, &mix, &names)))
}

/// Everything about a campaign's seeds.
///
/// # Errors
/// `NotFound` for the campaign, the database's.
pub async fn seed_report(store: &Store, name: &str) -> Result<SeedReport> {
    let campaign = store.campaign(name).await?.campaign;
    let copies = store.seed_copies(campaign.id).await?;
    let mix = store.provider_mix(campaign.id).await?;
    let names = store.relay_names().await?;
    let relay = |id: RelayId| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let mut counts: BTreeMap<(RelayId, MailboxProvider), PlacementCounts> = BTreeMap::new();
    for copy in &copies {
        counts.entry((copy.relay, copy.provider)).or_default().add(copy.placement, 1);
    }
    let cells = counts.into_iter().map(|((id, provider), counts)| Cell {
        relay: relay(id),
        provider: provider.as_str(),
        copies: by_place(counts),
        rate: counts.rate().map(Rate::from),
    });
    let gaps = store.seed_gaps(campaign.id).await?.into_iter();
    let not_covered =
        gaps.map(|(id, p)| NotCovered { relay: relay(id), provider: p.as_str() }).collect();
    Ok(SeedReport {
        campaign: campaign.name,
        inbox: estimate(&copies, &mix, &names),
        cells: cells.collect(),
        not_covered,
        copies: copies.iter().map(|copy| line(copy, relay(copy.relay))).collect(),
        pooled: last_ones(store, &names).await?,
    })
}

async fn last_ones(store: &Store, names: &BTreeMap<RelayId, String>) -> Result<Pooled> {
    let newest = store.seeded_campaigns(POOLED_READ).await?;
    let cells = store.placement_cells_of(&newest).await?;
    let sum = pooled(newest.iter().filter_map(|id| cells.get(id)), POOLED);
    let mut all = PlacementCounts::default();
    let mut providers: BTreeMap<&'static str, PlacementCounts> = BTreeMap::new();
    let mut relays: BTreeMap<String, PlacementCounts> = BTreeMap::new();
    for ((id, provider), counts) in sum.copies {
        let relay = names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        *providers.entry(provider.as_str()).or_default() += counts;
        *relays.entry(relay).or_default() += counts;
        all += counts;
    }
    let rate = |counts: PlacementCounts| counts.rate().map(Rate::from);
    Ok(Pooled {
        campaigns: sum.campaigns,
        rate: rate(all),
        providers: providers.into_iter().map(|(p, counts)| (p, rate(counts))).collect(),
        relays: relays.into_iter().map(|(name, counts)| (name, rate(counts))).collect(),
    })
}

fn line(copy: &SeedCopy, relay: String) -> Copy {
    let name = |result: Option<AuthResult>| result.map(AuthResult::as_str);
    Copy {
        seed: copy.mailbox.clone(),
        address: copy.address.clone(),
        provider: copy.provider.as_str(),
        relay,
        state: copy.state.as_str(),
        placement: copy.placement.as_str(),
        folder: copy.folder.clone(),
        tab: copy.tab.clone(),
        arrived_after_seconds: copy.arrived_after_ms.map(|ms| ms / 1_000),
        spf: name(copy.authentication.spf),
        dkim: name(copy.authentication.dkim),
        dmarc: name(copy.authentication.dmarc),
        looks: copy.looks,
        next_look_at: copy.next_look_at.filter(|_| !copy.closed).map(Timestamp::rfc3339),
        trouble: copy.trouble.clone(),
    }
}

fn estimate(
    copies: &[SeedCopy],
    mix: &[(MailboxProvider, i64)],
    names: &BTreeMap<RelayId, String>,
) -> Inbox {
    let mut by_provider = ByProvider::new();
    let mut by_relay: BTreeMap<RelayId, PlacementCounts> = BTreeMap::new();
    let mut all = PlacementCounts::default();
    for copy in copies {
        by_provider.entry(copy.provider).or_default().add(copy.placement, 1);
        by_relay.entry(copy.relay).or_default().add(copy.placement, 1);
        all.add(copy.placement, 1);
    }
    let relay = |id: RelayId| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let rate = |counts: PlacementCounts| counts.rate().map(Rate::from);
    let found = weighted(&by_provider, mix);
    Inbox {
        estimate: true,
        // Where no seed is at a provider of the audience, the copies still say something, of nobody in particular.
        rate: found.as_ref().map(|w| w.rate.into()).or_else(|| rate(all)),
        weighted: found.is_some(),
        covered: found.as_ref().map_or(0.0, |w| w.covered),
        uncovered: match &found {
            Some(w) => w.uncovered.iter().map(|p| p.as_str()).collect(),
            None => mix.iter().map(|(p, _)| p.as_str()).collect(),
        },
        copies: by_place(all),
        providers: by_provider.into_iter().map(|(p, counts)| (p.as_str(), rate(counts))).collect(),
        relays: by_relay.into_iter().map(|(id, counts)| (relay(id), rate(counts))).collect(),
    }
}

/// The places that hold a copy.
fn by_place(counts: PlacementCounts) -> BTreeMap<&'static str, u32> {
    let places = Placement::ALL.into_iter().map(|p| (p.as_str(), counts.of(p)));
    places.filter(|(_, n)| *n > 0).collect()
}
