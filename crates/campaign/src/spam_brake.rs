//! The brake by placement: a relay whose copies a mailbox provider files to spam leaves that provider to the pool's others.
//!
//! Called in the supervisor's steps for running campaigns with a canary, whose `min_inbox` it holds to. Whether a relay is
//! braked is `model::canary`'s to say; the brake is a row that W1 reads, like those of `delivery` and `feedback`. Rows that wait
//! for any relay of the pool go through the others; tests, seeds and greylisted rows keep their relay, so that the braked one is
//! measured on.
//!
//! What must hold: only the provider that files to spam is touched; a brake that stands is not lengthened; copies that set a
//! brake are not counted again, so that one which has ended or which the operator lifted returns by new copies only. Where no
//! other relay could take over, the relay is not stopped but slowed to a tenth: nine minutes of ten it rests.

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
type Braked = BTreeMap<Pair, (Timestamp, SpamNote)>;

/// Brakes what has to be braked, and rests what is slowed.
pub(crate) async fn step(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let Some(canary) = stored.campaign.settings.canary else { return Ok(()) };
    let id = stored.campaign.id;
    let copies = store.seed_copies(id).await?;
    if copies.is_empty() {
        return Ok(());
    }
    let last = braked(store, id).await?;
    for (pair, (_, note)) in &last {
        if let Some(end) = note.slowed_until.filter(|t| now < *t) {
            let until = now.plus_ms(STOP_MS).min(end);
            store.brake_again(*pair, until, now.plus_ms(-GAP_MS), now).await?;
        }
    }
    let mut cells = cells(&copies, &last);
    if cells.values().any(|sent| wants_earlier(sent)) {
        let earlier = earlier(store, id, now).await?;
        for (pair, sent) in cells.iter_mut().filter(|(_, sent)| wants_earlier(sent)) {
            let before = earlier.get(pair).cloned().unwrap_or_default();
            sent.splice(0..0, before);
        }
    }
    for (pair, sent) in cells {
        let Some(rate) = placement_brake(&sent, canary.min_inbox) else { continue };
        let wanted = (canary.min_inbox * 100.0).round();
        let name = &stored.campaign.name;
        let reason = format!("inbox {rate} in campaign {name}; its min_inbox is {wanted} %");
        let slowed = !others(store, setup, stored, pair, now).await?;
        let rest = now.plus_ms(REST_MS);
        let (until, slowed_until) =
            if slowed { (now.plus_ms(STOP_MS), Some(rest)) } else { (rest, None) };
        let brake = SpamBrake { relay: pair.0, provider: pair.1, until, reason: reason.clone() };
        if store.brake_by_placement(id, &brake, slowed_until, now).await? {
            let names = store.relay_names().await?;
            let relay = names.get(&pair.0).cloned().unwrap_or_else(|| pair.0.to_string());
            let (campaign, provider) = (name.clone(), pair.1);
            happened.push(Happened::Braked { campaign, relay, provider, why: reason });
        }
    }
    Ok(())
}

/// The last brake of each relay and provider by a campaign's seeds.
async fn braked(store: &Store, id: CampaignId) -> Result<Braked> {
    let mut last = Braked::new();
    for (at, note) in store.placement_brakes(id).await? {
        if let Some(provider) = MailboxProvider::from_code(note.provider) {
            last.insert((note.relay, provider), (at, note));
        }
    }
    Ok(last)
}

/// Copies of the other campaigns of the last day, the older campaign first, without those that a brake was set by.
async fn earlier(
    store: &Store,
    id: CampaignId,
    now: Timestamp,
) -> Result<BTreeMap<Pair, Vec<Placement>>> {
    let mut sum: BTreeMap<Pair, Vec<Placement>> = BTreeMap::new();
    let since = now.plus_ms(-EARLIER_MS);
    for other in store.campaigns_at_a_glance(since).await? {
        if other.id == id {
            continue;
        }
        let copies = store.seed_copies(other.id).await?;
        let last = braked(store, other.id).await?;
        // What was sent before a brake of any campaign is judged.
        last.keys().for_each(|pair| drop(sum.remove(pair)));
        for (pair, sent) in cells(&copies, &last) {
            sum.entry(pair).or_default().extend(sent);
        }
    }
    Ok(sum)
}

/// Copies by relay and provider in the order in which they were sent, without those that a brake was set by.
fn cells(copies: &[SeedCopy], last: &Braked) -> BTreeMap<Pair, Vec<Placement>> {
    let mut sent: Vec<(Timestamp, &SeedCopy)> =
        copies.iter().filter_map(|c| Some((c.accepted_at?, c))).collect();
    sent.sort_by_key(|(at, _)| *at);
    let mut cells: BTreeMap<Pair, Vec<Placement>> = BTreeMap::new();
    for (at, copy) in sent {
        let pair = (copy.relay, copy.provider);
        if last.get(&pair).is_none_or(|(braked, _)| at > *braked) {
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
