//! A campaign's canary: begun with the campaign, judged in the supervisor's steps, let go by an operator who knows better.
//!
//! Called by `supervisor` and `lifecycle`; the verdict is `model::canary`'s, the rows are the store's. What must hold: the rank
//! limit is written in the very write that starts the campaign, so that a crash anywhere sends no more than the share; whatever is decided is
//! noted with its reason in the transaction that does it; a campaign that a canary holds goes on only with a better verdict or
//! an operator's recorded word. It looks into no mailbox: `placement` writes where copies landed.

use crate::supervisor::Happened;
use crate::{Error, Result};
use postroad_model::canary::{Canary, CanaryLook, CanarySeed, CanaryVerdict, SeedRow, first_seeds};
use postroad_model::delivery::DeliveryState;
use postroad_model::placement::Placement;
use postroad_model::{DeliveryId, Timestamp};
use postroad_store::{CanaryRow, SeedCopy, Store, StoredCampaign};
use serde::{Deserialize, Serialize};

/// By whom, where nobody but the canary itself decided.
const ITSELF: &str = "canary";

/// What was decided of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryAct {
    /// It began with its campaign.
    Began,
    /// The rate is good, the rest goes.
    Passed,
    /// Too few seeds to go by, the rest goes.
    Warned,
    /// It holds the campaign.
    Held,
    /// An operator let the rest go all the same.
    Waived,
}

/// A note of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    act: CanaryAct,
    why: String,
    by: String,
    /// Recipients of the share, when it began.
    #[serde(default)]
    share: i64,
}

/// A campaign's canary in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CanaryReport {
    /// The share of the audience that goes first.
    pub share: f64,
    /// The inbox rate that lets the rest go.
    pub min_inbox: f64,
    /// Recipients of the share.
    pub people: i64,
    /// How many of them are done, by the counters those that a relay answered for; all of them once the canary is over.
    pub sent: i64,
    /// The seeds that go with it; the campaign's others follow later.
    pub seeds: usize,
    /// How many of them were found in a folder.
    pub found: usize,
    /// What was decided last; `None` before the campaign has started.
    pub decided: Option<CanaryAct>,
    /// Whether the rest of the audience still waits.
    pub waits: bool,
    /// When the wait for copies ends, where it is known and not over.
    pub until: Option<String>,
    /// Why that was decided.
    pub why: Option<String>,
    /// When.
    pub at: Option<String>,
    /// By whom: `canary`, or who said so.
    pub by: Option<String>,
}

/// What a campaign that has a canary starts with: the rank up to which it goes, and the note of that.
pub(crate) async fn beginning(
    store: &Store,
    stored: &StoredCampaign,
) -> Result<Option<(i64, serde_json::Value)>> {
    let Some(canary) = stored.campaign.settings.canary else { return Ok(None) };
    let limit = canary.rank_limit();
    let share = store.canary_untried(stored.campaign.id, limit).await?;
    let why = format!("{share} recipients and the seeds go first");
    Ok(Some((limit, note(CanaryAct::Began, why, ITSELF, share))))
}

/// Whether the rest of the audience waits for the campaign's canary.
pub(crate) async fn stands(store: &Store, stored: &StoredCampaign) -> Result<bool> {
    let canary = stored.campaign.settings.canary.is_some();
    Ok(canary && store.rank_limit(stored.campaign.id).await?.is_some())
}

/// Lets the canary's own seeds go.
pub(crate) async fn release(store: &Store, stored: &StoredCampaign, now: Timestamp) -> Result<()> {
    let Some(canary) = stored.campaign.settings.canary else { return Ok(()) };
    let waits = |copy: &SeedCopy| copy.released_at.is_none();
    let copies = own(store.seed_copies(stored.campaign.id).await?, &canary);
    let due: Vec<DeliveryId> = copies.iter().filter(|c| waits(c)).map(|c| c.delivery).collect();
    if !due.is_empty() {
        store.release_seed_copies(&due, now).await?;
    }
    Ok(())
}

/// Judges the canary of a running campaign, if it has one that is not over.
pub(crate) async fn step(
    store: &Store,
    stored: &StoredCampaign,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let Some(verdict) = verdict(store, stored, now).await? else { return Ok(()) };
    let (id, campaign) = (stored.campaign.id, stored.campaign.name.clone());
    match verdict {
        CanaryVerdict::Waits { .. } => {}
        CanaryVerdict::Good { rate } => {
            let why = format!("inbox {rate}");
            let data = note(CanaryAct::Passed, why.clone(), ITSELF, 0);
            if store.end_canary(id, &data, now).await? {
                happened.push(Happened::CanaryPassed { campaign, why });
            }
        }
        CanaryVerdict::TooFew { why } => {
            let data = note(CanaryAct::Warned, why.clone(), ITSELF, 0);
            if store.end_canary(id, &data, now).await? {
                happened.push(Happened::CanaryWarned { campaign, why });
            }
        }
        CanaryVerdict::Bad { why } => {
            let data = note(CanaryAct::Held, why.clone(), ITSELF, 0);
            if store.hold_by_canary(stored, &why, &data, now).await? {
                happened.push(Happened::CanaryHeld { campaign, why });
            }
        }
    }
    Ok(())
}

/// Whether a campaign that its canary holds may be resumed: by what was found since.
///
/// # Errors
/// `CanaryHolds` while the verdict is as it was.
pub(crate) async fn judge_again(
    store: &Store,
    stored: &StoredCampaign,
    now: Timestamp,
) -> Result<()> {
    let Some(verdict) = verdict(store, stored, now).await? else { return Ok(()) };
    let id = stored.campaign.id;
    let name = || stored.campaign.name.clone();
    let (act, why) = match verdict {
        CanaryVerdict::Good { rate } => (CanaryAct::Passed, format!("inbox {rate}")),
        CanaryVerdict::TooFew { why } => (CanaryAct::Warned, why),
        CanaryVerdict::Bad { why } => return Err(Error::CanaryHolds { name: name(), why }),
        CanaryVerdict::Waits { .. } => {
            let why = "its copies are still looked for".to_owned();
            return Err(Error::CanaryHolds { name: name(), why });
        }
    };
    store.end_canary(id, &note(act, why, ITSELF, 0), now).await?;
    Ok(())
}

/// Lets the rest of the audience go by an operator's word, which is noted. False where no canary stands.
pub(crate) async fn waive(
    store: &Store,
    stored: &StoredCampaign,
    (by, reason): (&str, Option<&str>),
    now: Timestamp,
) -> Result<bool> {
    let Some(verdict) = verdict(store, stored, now).await? else { return Ok(false) };
    let id = stored.campaign.id;
    let said = reason.unwrap_or("no reason was given");
    let found = match verdict {
        CanaryVerdict::Good { rate } => format!("inbox {rate}"),
        CanaryVerdict::TooFew { why } | CanaryVerdict::Bad { why } => why,
        CanaryVerdict::Waits { .. } => "its copies were still looked for".to_owned(),
    };
    let data = note(CanaryAct::Waived, format!("{said} ({found})"), by, 0);
    Ok(store.end_canary(id, &data, now).await?)
}

/// The canary in numbers; `None` for a campaign without one. `answered` are the audience's rows that are done by the counters:
/// while the rank limit holds, all of them are of the share. `None`: the share's rows are counted, which may be millions.
pub(crate) async fn report(
    store: &Store,
    stored: &StoredCampaign,
    answered: Option<i64>,
    now: Timestamp,
) -> Result<Option<CanaryReport>> {
    let Some(canary) = stored.campaign.settings.canary else { return Ok(None) };
    let id = stored.campaign.id;
    let row = store.canary(id).await?;
    let notes = notes(&row);
    let people = notes.iter().map(|(_, n)| n.share).max().unwrap_or(0);
    let last = notes.last();
    let copies = own(store.seed_copies(id).await?, &canary);
    let found = copies.iter().filter(|c| found(c.placement)).count();
    let seeds = copies.len();
    let (sent, until) = match row.rank_limit {
        None => (people, None),
        Some(limit) => {
            let look = looked(&row, store.canary_waits(id, limit).await?, &copies);
            let sent = match answered {
                Some(n) => n.min(people),
                None => (people - store.canary_open(id, limit).await?).max(0),
            };
            (sent, canary.over_at(&look).filter(|t| *t > now))
        }
    };
    Ok(Some(CanaryReport {
        share: canary.share,
        min_inbox: canary.min_inbox,
        people,
        sent,
        seeds,
        found,
        decided: last.map(|(_, n)| n.act),
        waits: row.rank_limit.is_some() || last.is_none(),
        until: until.map(Timestamp::rfc3339),
        why: last.map(|(_, n)| n.why.clone()),
        at: last.map(|(at, _)| at.rfc3339()),
        by: last.map(|(_, n)| n.by.clone()),
    }))
}

impl CanaryReport {
    /// One line for people: `37 of 50 sent, 12 of 16 seeds found, until 14:30`.
    #[must_use]
    pub fn line(&self) -> String {
        let seen = format!("{} of {} seeds found", self.found, self.seeds);
        let why = self.why.as_deref().unwrap_or_default();
        match (self.decided, self.waits) {
            (None, _) => format!("the seeds and {} % of the audience go first", self.share * 100.0),
            (Some(CanaryAct::Held), true) => format!("held, {seen}: {why}"),
            (Some(_), true) => {
                let until = match &self.until {
                    Some(until) => format!("until {until}"),
                    None => "until its seeds are sent".to_owned(),
                };
                format!("{} of {} sent, {seen}, {until}", self.sent, self.people)
            }
            (Some(CanaryAct::Passed), false) => format!("passed: {why}"),
            (Some(CanaryAct::Waived), false) => {
                format!("waived by {}: {why}", self.by.as_deref().unwrap_or("the operator"))
            }
            (Some(CanaryAct::Began | CanaryAct::Warned | CanaryAct::Held), false) => why.to_owned(),
        }
    }
}

fn note(act: CanaryAct, why: String, by: &str, share: i64) -> serde_json::Value {
    let note = Note { act, why, by: by.to_owned(), share };
    serde_json::to_value(note).expect("text and numbers are always JSON")
}

fn notes(row: &CanaryRow) -> Vec<(Timestamp, Note)> {
    let read = |(at, data): &(Timestamp, String)| Some((*at, serde_json::from_str(data).ok()?));
    row.notes.iter().filter_map(read).collect()
}

/// What the campaign's canary says now, as long as the rest of the audience waits for it.
async fn verdict(
    store: &Store,
    stored: &StoredCampaign,
    now: Timestamp,
) -> Result<Option<CanaryVerdict>> {
    let (id, settings) = (stored.campaign.id, &stored.campaign.settings);
    let Some(canary) = settings.canary else { return Ok(None) };
    let row = store.canary(id).await?;
    let Some(limit) = row.rank_limit else { return Ok(None) };
    let open = store.canary_waits(id, limit).await?;
    let copies = own(store.seed_copies(id).await?, &canary);
    Ok(Some(canary.judge(&looked(&row, open, &copies), now)))
}

/// The copies that go with the canary and that it goes by, of all of a campaign: the same ones at each call.
fn own(copies: Vec<SeedCopy>, canary: &Canary) -> Vec<SeedCopy> {
    let pairs: Vec<_> = copies.iter().map(|c| (c.relay, c.provider)).collect();
    let first = first_seeds(&pairs, canary);
    copies.into_iter().zip(first).filter_map(|(copy, first)| first.then_some(copy)).collect()
}

fn looked(row: &CanaryRow, share_open: bool, copies: &[SeedCopy]) -> CanaryLook {
    let began_at = row.notes.first().map_or(Timestamp(0), |(at, _)| *at);
    CanaryLook { began_at, share_open, seeds: copies.iter().map(seed).collect() }
}

fn seed(copy: &SeedCopy) -> CanarySeed {
    // A copy whose answer was lost may have arrived: it is looked for from when its turn came.
    let gone = matches!(copy.state, DeliveryState::Accepted | DeliveryState::Unknown);
    let turn = if gone { copy.released_at } else { None };
    CanarySeed {
        placement: copy.placement,
        accepted_at: copy.accepted_at.or(turn),
        looks: copy.looks,
        row: if copy.state.is_open() { SeedRow::Open } else { SeedRow::Ended },
    }
}

fn found(placement: Placement) -> bool {
    match placement {
        Placement::Inbox | Placement::Promotions | Placement::Spam | Placement::Other => true,
        Placement::NotSent | Placement::Pending | Placement::Missing | Placement::Unknown => false,
    }
}
