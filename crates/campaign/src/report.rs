//! `status` and `report`: one struct with every number of a campaign, for people, scripts and the exporter.
//!
//! The key names are part of the command line's promise (docs/schemas). Seeds and tests are apart. What must hold:
//! the states of the audience sum to its size; `imbalance` says by how much they do not.

use crate::planning::forecast_now;
use crate::{CanaryReport, Inbox, Result, Setup, canary};
use postroad_model::campaign::CampaignState;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::limit::Keeper;
use postroad_model::open::OpenKind;
use postroad_model::plan::{Forecast, Outlook};
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{Count, Store, StoredCampaign, TALLY_DEFERRED, Tally};
use serde::Serialize;
use std::collections::BTreeMap;

/// How the imbalance is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// The counters alone and no forecast, which looks at rows: for `top`, each second.
    Glance,
    /// From the counters alone: cheap, for `status --watch`.
    Counters,
    /// The rows are counted one by one and held against the counters: `report`, `db check`.
    Rows,
}

/// One limit of a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaReport {
    /// The window: `24h`, `day in America/Los_Angeles`.
    pub window: String,
    /// Counted in it now, other campaigns and relays of the same account included.
    pub used: i64,
    /// How many are allowed.
    pub limit: i64,
    /// When something frees, if it is used up.
    pub frees_at: Option<String>,
}

/// One relay's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RelayReport {
    /// Taken by it.
    pub accepted: i64,
    /// Refused for good through it.
    pub rejected: i64,
    /// Deferrals, each try counted.
    pub deferred: i64,
    /// Its ledger limits.
    pub quota: Vec<QuotaReport>,
}

/// What came back for one reason from one mailbox provider through one relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CameBack {
    /// `hard`, `soft`, `block`, `complaint`, `other`.
    pub kind: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The mailbox provider.
    pub provider: &'static str,
    /// The relay; empty where none is known.
    pub relay: String,
    /// How many, each delivery once.
    pub n: i64,
    /// How many of them were found by address and time alone, and count in no brake.
    pub by_address: i64,
}

/// Opened messages of one mailbox provider's recipients, each once by the surest kind that was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Opens {
    /// The mailbox provider.
    pub provider: &'static str,
    /// By a mail program itself.
    pub human: i64,
    /// By the provider's image proxy, for a reader.
    pub proxy: i64,
    /// By a program that loads everything: it says nothing of a reader.
    pub prefetch: i64,
    /// Messages that relays took for the provider; absent where the rows are not counted.
    pub accepted: Option<i64>,
    /// Human and proxy of the accepted; absent without accepted ones.
    pub share: Option<f64>,
}

/// Rows outside the audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Apart {
    /// All of them.
    pub total: i64,
    /// Taken by a relay.
    pub accepted: i64,
}

/// Everything about a campaign in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Its name.
    pub campaign: String,
    /// Where it stands.
    pub state: &'static str,
    /// Details of the state: since when, why, until when.
    pub state_detail: CampaignState,
    /// Size of the frozen audience; 0 before the start.
    pub audience: i64,
    /// Wait for their time and a lane.
    pub scheduled: i64,
    /// Held by a lane.
    pub leased: i64,
    /// The final dot may be on the wire.
    pub sending: i64,
    /// Taken by a relay.
    pub accepted: i64,
    /// Refused for good.
    pub rejected: i64,
    /// Accepted, then returned.
    pub bounced: i64,
    /// The answer to the final dot was lost.
    pub unknown: i64,
    /// Suppressed, unsubscribed or erased before they were sent.
    pub suppressed: i64,
    /// The campaign's time was over.
    pub expired: i64,
    /// The campaign was cancelled.
    pub cancelled: i64,
    /// Ours: they could not be sent as they are.
    pub failed: i64,
    /// By how much the numbers do not add up: 0.
    pub imbalance: i64,
    /// Contacts of the lists that are not in the audience, by reason.
    pub left_out: BTreeMap<String, i64>,
    /// By relay.
    pub relays: BTreeMap<String, RelayReport>,
    /// What came back, by kind, reason, mailbox provider and relay; the most frequent first.
    pub came_back: Vec<CameBack>,
    /// Opens by mailbox provider, the largest first; absent where the campaign counts none.
    pub opens: Option<Vec<Opens>>,
    /// Test messages.
    pub tests: Apart,
    /// Seed mailboxes.
    pub seeds: Apart,
    /// The inbox rate, an estimate from them; absent without seeds.
    pub inbox: Option<Inbox>,
    /// The canary; absent where the campaign has none.
    pub canary: Option<CanaryReport>,
    /// When it starts or started.
    pub starts_at: Option<String>,
    /// When it ended, or will by the forecast; absent when that is never.
    pub ends_at: Option<String>,
    /// Nothing is sent after this.
    pub expires_at: Option<String>,
    /// How many will not be reached by then, by the forecast.
    pub unreached: i64,
}

/// A campaign's report as it stands at `now`.
///
/// # Errors
/// `NotFound`, the database's.
pub async fn report(
    store: &Store,
    setup: &Setup,
    name: &str,
    counting: Counting,
    now: Timestamp,
) -> Result<Report> {
    let stored = store.campaign(name).await?;
    let id = stored.campaign.id;
    let counts = store.counters(id).await?;
    let of = |state| sum(&counts, Role::Audience, |c| c.code == DeliveryState::code(state));
    let forecast = match counting {
        Counting::Glance => None,
        Counting::Counters | Counting::Rows => forecast(store, setup, &stored, now).await,
    };
    let (ends_at, unreached) = ends(&stored.campaign.state, forecast.as_ref());
    Ok(Report {
        campaign: stored.campaign.name.clone(),
        state: stored.campaign.state.name(),
        state_detail: stored.campaign.state.clone(),
        audience: stored.campaign.audience.unwrap_or(0),
        scheduled: of(DeliveryState::Scheduled),
        leased: of(DeliveryState::Leased),
        sending: of(DeliveryState::Sending),
        accepted: of(DeliveryState::Accepted),
        rejected: of(DeliveryState::Rejected),
        bounced: of(DeliveryState::Bounced),
        unknown: of(DeliveryState::Unknown),
        suppressed: of(DeliveryState::Suppressed),
        expired: of(DeliveryState::Expired),
        cancelled: of(DeliveryState::Cancelled),
        failed: of(DeliveryState::Failed),
        imbalance: imbalance(store, &stored, &counts, counting).await?,
        left_out: store.left_out(id).await?.into_iter().collect(),
        relays: relays(store, setup, &stored, &counts, now).await?,
        came_back: came_back(store, id).await?,
        opens: opens(store, &stored, counting).await?,
        tests: apart(&counts, Role::Test),
        seeds: apart(&counts, Role::Seed),
        inbox: crate::inbox(store, id).await?,
        canary: canary::report(store, &stored, answered(&counts, counting), now).await?,
        starts_at: stored.start_at.map(Timestamp::rfc3339),
        ends_at: ends_at.map(Timestamp::rfc3339),
        expires_at: stored.expires_at.map(Timestamp::rfc3339),
        unreached,
    })
}

async fn came_back(store: &Store, id: CampaignId) -> Result<Vec<CameBack>> {
    let names = store.relay_names().await?;
    let line = |tally: Tally| CameBack {
        kind: tally.kind.as_str(),
        reason: tally.reason.as_str(),
        provider: tally.provider.as_str(),
        relay: names.get(&tally.relay).cloned().unwrap_or_default(),
        n: tally.n + tally.weak,
        by_address: tally.weak,
    };
    let mut lines: Vec<CameBack> = store.tallies(&[id]).await?.into_iter().map(line).collect();
    lines.sort_by_key(|l| -l.n);
    Ok(lines)
}

/// One line for each mailbox provider of the audience, so that one without any open is seen.
async fn opens(
    store: &Store,
    stored: &StoredCampaign,
    counting: Counting,
) -> Result<Option<Vec<Opens>>> {
    if !stored.campaign.settings.track_opens {
        return Ok(None);
    }
    let id = stored.campaign.id;
    let counts = store.opens_of(&[id]).await?.remove(&id).unwrap_or_default();
    let accepted = match counting {
        Counting::Glance | Counting::Counters => None,
        Counting::Rows => Some(store.accepted_by_provider(id).await?),
    };
    let mut mix = store.provider_mix(id).await?;
    mix.sort_by_key(|(_, people)| -people);
    let line = |(provider, _): (MailboxProvider, i64)| {
        let [prefetch, proxy, human] =
            OpenKind::ALL.map(|kind| counts.get(&(provider, kind)).copied().unwrap_or(0));
        let accepted = accepted.as_ref().map(|a| a.get(&provider).copied().unwrap_or(0));
        let share = accepted.filter(|n| *n > 0).map(|n| (human + proxy) as f64 / n as f64);
        Opens { provider: provider.as_str(), human, proxy, prefetch, accepted, share }
    };
    Ok(Some(mix.into_iter().map(line).collect()))
}

fn sum(counts: &[Count], role: Role, wanted: impl Fn(&Count) -> bool) -> i64 {
    counts.iter().filter(|c| c.role == role && wanted(c)).map(|c| c.n).sum()
}

fn apart(counts: &[Count], role: Role) -> Apart {
    Apart {
        total: sum(counts, role, |c| c.code < TALLY_DEFERRED),
        accepted: sum(counts, role, |c| c.code == DeliveryState::Accepted.code()),
    }
}

/// Rows of the audience that a relay answered for, or that failed before; `None` where rows are to be counted.
fn answered(counts: &[Count], counting: Counting) -> Option<i64> {
    let done = [
        DeliveryState::Accepted,
        DeliveryState::Rejected,
        DeliveryState::Bounced,
        DeliveryState::Unknown,
        DeliveryState::Failed,
    ]
    .map(DeliveryState::code);
    match counting {
        Counting::Glance | Counting::Counters => {
            Some(sum(counts, Role::Audience, |c| done.contains(&c.code)))
        }
        Counting::Rows => None,
    }
}

/// What the audience lacks in rows or has too much, and every disagreement of counters and rows.
async fn imbalance(
    store: &Store,
    stored: &StoredCampaign,
    counts: &[Count],
    counting: Counting,
) -> Result<i64> {
    let counted = |state: DeliveryState| sum(counts, Role::Audience, |c| c.code == state.code());
    let total: i64 = DeliveryState::ALL.into_iter().map(counted).sum();
    // Before the freeze is closed the audience is what became rows so far.
    let audience = stored.campaign.audience.unwrap_or(total);
    match counting {
        Counting::Glance | Counting::Counters => Ok(audience - total),
        Counting::Rows => match settled_rows(store, stored.campaign.id).await? {
            Some((rows, counts)) => {
                let counted =
                    |state: DeliveryState| sum(&counts, Role::Audience, |c| c.code == state.code());
                let in_rows =
                    |state| rows.iter().filter(|(s, _)| *s == state).map(|(_, n)| n).sum::<i64>();
                let all: i64 = rows.iter().map(|(_, n)| n).sum();
                let drift: i64 = DeliveryState::ALL
                    .into_iter()
                    .map(|state| (in_rows(state) - counted(state)).abs())
                    .sum();
                let missing = stored.campaign.audience.map_or(0, |audience| audience - all);
                Ok(if missing == 0 { drift } else { missing })
            }
            None => Ok(audience - total),
        },
    }
}

/// Rows by state and counters of the same moment: while an engine works, both are read until the counters stood
/// still meanwhile. `None` when they never do.
async fn settled_rows(
    store: &Store,
    id: CampaignId,
) -> Result<Option<(Vec<(DeliveryState, i64)>, Vec<Count>)>> {
    for _ in 0..5 {
        let before = store.counters(id).await?;
        let rows = store.count_rows(id, Role::Audience).await?;
        if store.counters(id).await? == before {
            return Ok(Some((rows, before)));
        }
    }
    Ok(None)
}

/// The pool's relays, and any other that had rows of the campaign.
async fn relays(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    counts: &[Count],
    now: Timestamp,
) -> Result<BTreeMap<String, RelayReport>> {
    let names = store.relay_names().await?;
    let mut reports: BTreeMap<String, RelayReport> = BTreeMap::new();
    for relay in setup.pool_relays(&stored.campaign.settings.pool).unwrap_or_default() {
        let mut quota = Vec::new();
        for mut entry in store.limits(&relay.limit_scope()).await? {
            if entry.limit.keeper != Keeper::Ledger {
                continue;
            }
            let (Ok(used), Ok(free)) =
                (entry.book.used(&entry.limit, now), entry.book.free(&entry.limit, now))
            else {
                continue;
            };
            quota.push(QuotaReport {
                window: entry.limit.window.to_string(),
                used,
                limit: entry.limit.amount,
                frees_at: free.frees_at.map(Timestamp::rfc3339),
            });
        }
        reports.insert(relay.name.clone(), RelayReport { quota, ..RelayReport::default() });
    }
    for count in counts.iter().filter(|c| c.role == Role::Audience && c.relay != RelayId(0)) {
        let name = names.get(&count.relay).cloned().unwrap_or_else(|| count.relay.to_string());
        let accepted = [DeliveryState::Accepted, DeliveryState::Bounced].map(DeliveryState::code);
        let slot = |report: &mut RelayReport| match count.code {
            code if accepted.contains(&code) => report.accepted += count.n,
            code if code == DeliveryState::Rejected.code() => report.rejected += count.n,
            TALLY_DEFERRED => report.deferred += count.n,
            _ => {}
        };
        slot(reports.entry(name).or_default());
    }
    Ok(reports)
}

/// A forecast of what is left; absent where it cannot be made, which is no fault of the report.
async fn forecast(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    now: Timestamp,
) -> Option<Forecast> {
    if stored.campaign.state.is_over() {
        return None;
    }
    if stored.campaign.audience.is_some() {
        return forecast_now(store, setup, stored, now).await.ok().map(|p| p.forecast);
    }
    store.latest_plan(stored.campaign.id).await.ok().flatten().map(|p| p.plan.forecast)
}

fn ends(state: &CampaignState, forecast: Option<&Forecast>) -> (Option<Timestamp>, i64) {
    match state {
        CampaignState::Finished { at }
        | CampaignState::Cancelled { at }
        | CampaignState::Missed { at } => (Some(*at), 0),
        CampaignState::Draft
        | CampaignState::Scheduled { .. }
        | CampaignState::Running { .. }
        | CampaignState::Held { .. }
        | CampaignState::Paused { .. } => match forecast.map(|f| f.outlook) {
            Some(Outlook::Ends { at }) => (Some(at), 0),
            Some(Outlook::Expires { at, left, .. }) => (Some(at), left),
            Some(Outlook::Never { left }) => (None, left),
            None => (None, 0),
        },
    }
}
