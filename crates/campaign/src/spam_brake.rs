//! The brake by placement: a relay whose copies a mailbox provider files to spam leaves that provider to the pool's others.
//!
//! Called in the supervisor's steps for running campaigns with seeds: by the `min_inbox` of the campaign's canary, else by that
//! of `[placement]` where the operator wrote one. Whether a relay is braked is `model::canary`'s to say; the brake is a row that
//! W1 reads, like those of `delivery` and `feedback`. Rows that wait for any relay of the pool go through the others; tests,
//! seeds and greylisted rows keep their relay, so that the braked one is measured on by the seeds that follow in step with the
//! audience.
//!
//! What must hold: only the provider that files to spam is touched; a brake that stands is not lengthened; copies that set a
//! brake, in whichever campaign, are not counted again, so that one which has ended or which the operator lifted returns by new
//! copies only. Where no other relay can take over, or none can any more, the relay is not stopped but slowed to a tenth: nine
//! minutes of ten it rests.

use crate::supervisor::Happened;
use crate::{Result, Setup};
use postroad_model::canary::{placement_brake, wants_earlier};
use postroad_model::placement::Placement;
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{SeedCopy, SpamBrake, SpamNote, Store, StoredCampaign};
use std::collections::{BTreeMap, BTreeSet};

/// How long a brake lasts. Filters forget slowly; after that new copies judge anew.
const REST_MS: i64 = 6 * 3_600_000;
/// A slowed relay rests so long,
const STOP_MS: i64 = 9 * 60_000;
/// and then sends so long.
const GAP_MS: i64 = 60_000;

/// Where this campaign's copies are too few, those of campaigns of so long speak as well.
const EARLIER_MS: i64 = 24 * 3_600_000;

type Pair = (RelayId, MailboxProvider);
/// The last brake of each relay and provider by one campaign's seeds.
type Braked = BTreeMap<Pair, (Timestamp, SpamNote)>;
/// Up to when the copies of each relay and provider have been judged, by any campaign.
type Judged = BTreeMap<Pair, Timestamp>;

/// Brakes what has to be braked, and rests what is slowed.
pub(crate) async fn step(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let canary = stored.campaign.settings.canary.map(|c| c.min_inbox);
    let Some(min_inbox) = canary.or(setup.min_inbox) else { return Ok(()) };
    let id = stored.campaign.id;
    let copies = store.seed_copies(id).await?;
    if copies.is_empty() {
        return Ok(());
    }
    let (last, judged) = braked(store, id, now).await?;
    for (pair, (at, note)) in &last {
        match note.slowed_until {
            Some(end) if now < end => {
                let until = now.plus_ms(STOP_MS).min(end);
                store.brake_again(*pair, until, now.plus_ms(-GAP_MS), now).await?;
            }
            None if now < at.plus_ms(REST_MS) => {
                slow_down(store, setup, stored, (*pair, *at, note), now, happened).await?;
            }
            Some(_) | None => {}
        }
    }
    let mut cells = cells(&copies, &judged);
    if cells.values().any(|sent| wants_earlier(sent)) {
        let earlier = earlier(store, id, &judged, now).await?;
        for (pair, sent) in cells.iter_mut().filter(|(_, sent)| wants_earlier(sent)) {
            let before = earlier.get(pair).cloned().unwrap_or_default();
            sent.splice(0..0, before);
        }
    }
    for (pair, sent) in cells {
        let Some(rate) = placement_brake(&sent, min_inbox) else { continue };
        let wanted = (min_inbox * 100.0).round();
        let name = &stored.campaign.name;
        let reason = format!("inbox {rate} in campaign {name}; min_inbox is {wanted} %");
        let slowed = !others(store, setup, stored, pair, now).await?;
        let rest = now.plus_ms(REST_MS);
        let (until, slowed_until) =
            if slowed { (now.plus_ms(STOP_MS), Some(rest)) } else { (rest, None) };
        let brake = SpamBrake { relay: pair.0, provider: pair.1, until, reason: reason.clone() };
        if store.brake_by_placement(id, &brake, slowed_until, now).await? {
            happened.push(told(store, name, pair, reason).await?);
        }
    }
    Ok(())
}

/// A stop whose pool has no other relay left to take over becomes a slowed one, up to the end that it had.
async fn slow_down(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    (pair, at, note): (Pair, Timestamp, &SpamNote),
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let end = at.plus_ms(REST_MS);
    let until = now.plus_ms(STOP_MS);
    if end <= until || others(store, setup, stored, pair, now).await? {
        return Ok(());
    }
    let slowed = SpamNote {
        slowed_until: Some(end),
        judged_at: note.judged_at.or(Some(at)),
        ..note.clone()
    };
    if store.slow_brake(stored.campaign.id, &slowed, until, now).await? {
        let why = format!("{}; no other relay is left, so it is slowed, not stopped", note.why);
        happened.push(told(store, &stored.campaign.name, pair, why).await?);
    }
    Ok(())
}

async fn told(store: &Store, campaign: &str, pair: Pair, why: String) -> Result<Happened> {
    let (relay, provider) = pair;
    let names = store.relay_names().await?;
    let relay = names.get(&relay).cloned().unwrap_or_else(|| relay.to_string());
    Ok(Happened::Braked { campaign: campaign.to_owned(), relay, provider, why })
}

/// The last brakes by a campaign's seeds, and up to when copies were judged in any campaign of the last day.
async fn braked(store: &Store, id: CampaignId, now: Timestamp) -> Result<(Braked, Judged)> {
    let (mut last, mut judged) = (Braked::new(), Judged::new());
    for placed in store.placement_brakes(now.plus_ms(-EARLIER_MS)).await? {
        let Some(provider) = MailboxProvider::from_code(placed.note.provider) else { continue };
        let pair = (placed.note.relay, provider);
        let until = placed.note.judged_at.unwrap_or(placed.at);
        judged.entry(pair).and_modify(|t| *t = until.max(*t)).or_insert(until);
        if placed.campaign == id {
            last.insert(pair, (placed.at, placed.note));
        }
    }
    Ok((last, judged))
}

/// Copies of the other campaigns of the last day, the older campaign first.
async fn earlier(
    store: &Store,
    id: CampaignId,
    judged: &Judged,
    now: Timestamp,
) -> Result<BTreeMap<Pair, Vec<Placement>>> {
    let mut sum: BTreeMap<Pair, Vec<Placement>> = BTreeMap::new();
    for other in store.campaigns_seeded_since(now.plus_ms(-EARLIER_MS)).await? {
        if other == id {
            continue;
        }
        for (pair, sent) in cells(&store.seed_copies(other).await?, judged) {
            sum.entry(pair).or_default().extend(sent);
        }
    }
    Ok(sum)
}

/// Copies by relay and provider in the order in which they were sent, without those that were judged.
fn cells(copies: &[SeedCopy], judged: &Judged) -> BTreeMap<Pair, Vec<Placement>> {
    let mut sent: Vec<(Timestamp, &SeedCopy)> =
        copies.iter().filter_map(|c| Some((c.accepted_at?, c))).collect();
    sent.sort_by_key(|(at, _)| *at);
    let mut cells: BTreeMap<Pair, Vec<Placement>> = BTreeMap::new();
    for (at, copy) in sent {
        let pair = (copy.relay, copy.provider);
        if judged.get(&pair).is_none_or(|judged| at > *judged) {
            cells.entry(pair).or_default().push(copy.placement);
        }
    }
    cells
}

/// Whether another relay of the pool may serve the provider now.
async fn others(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    (relay, provider): Pair,
    now: Timestamp,
) -> Result<bool> {
    let pool: BTreeSet<&str> = setup
        .pool_relays(&stored.campaign.settings.pool)?
        .into_iter()
        .map(|r| r.name.as_str())
        .collect();
    let names = store.relay_names().await?;
    let brakes = store.brakes(now).await?;
    let lanes = store.lanes().await?;
    let rests = |other: RelayId| {
        let paused = |l: &postroad_store::Lane| l.pause.as_ref().is_some_and(|p| p.until > now);
        let braked = brakes.iter().any(|b| {
            b.relay.is_none_or(|r| r == other) && b.provider.is_none_or(|p| p == provider)
        });
        braked || lanes.iter().any(|l| l.relay == other && paused(l))
    };
    Ok(names.iter().any(|(id, name)| *id != relay && pool.contains(name.as_str()) && !rests(*id)))
}
