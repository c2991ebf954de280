//! A canary's rank limit and verdict, and the brakes that seeds' copies set, as rows.
//!
//! `campaign` decides (`model::canary`) and calls this; W1 reads the rank limit and the brakes. A canary begins in the
//! very write that starts its campaign, so that no row beyond its share is ever leased before the verdict, whatever is killed when or
//! scheduled anew. What must hold: each act is one transaction with the note that tells of it, and of several nodes one does it; a verdict against going
//! on is written only on the campaign's row as it was judged; a brake that stands is not touched.

use crate::backend::{Named, read, tx};
use crate::campaign_words::{window_columns, write_state};
use crate::campaigns::{StoredCampaign, json};
use crate::closing::CAMPAIGN_EVENT;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::campaign::{CampaignAct, HoldReason};
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use serde::{Deserialize, Serialize};

sql! {
    both CAMPAIGN_START = "campaign_start";
    both CANARY_END = "canary_end";
    both CANARY_SHARE = "canary_share";
    both CANARY_TRIED = "canary_tried";
    both CANARY_WAITS = "canary_waits";
    both CANARY_NOTES = "canary_notes";
    both CANARY_LIMIT = "rank_limit_of";
    both BRAKE_PLACE = "brake_place";
    both BRAKE_AGAIN = "brake_again";
    both BRAKE_SLOW = "brake_slow";
    both BRAKES_PLACED = "brakes_placed";
    both CAMPAIGNS_SEEDED = "campaigns_seeded";
}

const CANARY: &str = "canary";
const PLACEMENT_BRAKE: &str = "placement_brake";

/// A campaign's canary as its rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryRow {
    /// The highest rank that goes for now; `None`: the canary is over, or there was none.
    pub rank_limit: Option<i64>,
    /// What happened to it, in order, as JSON.
    pub notes: Vec<(Timestamp, String)>,
}

/// A relay's brake for a provider, by where its seeds' copies landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpamBrake {
    /// Which relay.
    pub relay: RelayId,
    /// Which provider.
    pub provider: MailboxProvider,
    /// Until when it stops.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// A note of such a brake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpamNote {
    /// Which relay.
    pub relay: RelayId,
    /// Which provider, by its code.
    pub provider: i64,
    /// Why.
    pub why: String,
    /// Set where no other relay of the pool could take over: until then it is slowed instead of stopped.
    pub slowed_until: Option<Timestamp>,
    /// When the copies were judged, where that was before this note.
    #[serde(default)]
    pub judged_at: Option<Timestamp>,
}

/// A note of such a brake with its campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedBrake {
    /// The campaign whose copies set it.
    pub campaign: CampaignId,
    /// When.
    pub at: Timestamp,
    /// The note.
    pub note: SpamNote,
}

/// Writes a note on a campaign inside a `tx!` body.
macro_rules! note {
    ($c:expr, $e:expr, $kind:expr, $id:expr, $data:expr, $now:expr) => {
        sqlx::query(CAMPAIGN_EVENT.of($e))
            .bind($now.0)
            .bind($kind)
            .bind($id.0)
            .bind($data)
            .execute(&mut *$c)
            .await
            .named(&CAMPAIGN_EVENT)?
    };
}

impl Store {
    /// Starts a scheduled campaign, if its row still is as it was read, with its canary where it has one: a rank above which
    /// nothing is leased, and the note of it. False when somebody changed it in between: it is to be read again.
    ///
    /// # Errors
    /// `Transition` when it is not scheduled; the database's.
    pub async fn start_campaign(
        &self,
        read: &StoredCampaign,
        canary: Option<(i64, &serde_json::Value)>,
        now: Timestamp,
    ) -> Result<bool> {
        let campaign = &read.campaign;
        let id = campaign.id;
        let next = campaign
            .state
            .after(&CampaignAct::Start, now)
            .map_err(|source| Error::Transition { name: campaign.name.clone(), source })?;
        let state = json("a campaign's state", &next)?;
        let (open, close) = window_columns(&campaign.settings, now);
        let data = canary.map(|(_, data)| data.to_string());
        tx!(self, |c, e| {
            let started = sqlx::query(CAMPAIGN_START.of(e))
                .bind(id.0)
                .bind(read.version)
                .bind(next.name())
                .bind(&state)
                .bind(open.0)
                .bind(close.map(|t| t.0))
                .bind(canary.map(|(limit, _)| limit))
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&CAMPAIGN_START)?;
            let started = started.rows_affected() == 1;
            if let Some(data) = data.as_ref().filter(|_| started) {
                note!(c, e, CANARY, id, data, now);
            }
            Ok(started)
        })
    }

    /// Lets the rest of the audience go. False when somebody did before.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_canary(
        &self,
        id: CampaignId,
        data: &serde_json::Value,
        now: Timestamp,
    ) -> Result<bool> {
        let data = data.to_string();
        tx!(self, |c, e| {
            let ended = sqlx::query(CANARY_END.of(e))
                .bind(id.0)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&CANARY_END)?;
            if ended.rows_affected() == 1 {
                note!(c, e, CANARY, id, &data, now);
            }
            Ok(ended.rows_affected() == 1)
        })
    }

    /// Holds a campaign by its canary's verdict, if its row still is as it was when it was judged. False otherwise.
    ///
    /// # Errors
    /// `Transition` when it does not run; the database's.
    pub async fn hold_by_canary(
        &self,
        judged: &StoredCampaign,
        why: &str,
        data: &serde_json::Value,
        now: Timestamp,
    ) -> Result<bool> {
        let campaign = &judged.campaign;
        let (id, data) = (campaign.id, data.to_string());
        let act = CampaignAct::Hold { reason: HoldReason::Canary(why.to_owned()), until: None };
        let next = campaign
            .state
            .after(&act, now)
            .map_err(|source| Error::Transition { name: campaign.name.clone(), source })?;
        tx!(self, |c, e| {
            let held = write_state!(c, e, *judged, &next, None, now);
            if held {
                note!(c, e, CANARY, id, &data, now);
            }
            Ok(held)
        })
    }

    /// A campaign's canary.
    ///
    /// # Errors
    /// The database's.
    pub async fn canary(&self, id: CampaignId) -> Result<CanaryRow> {
        read!(self, |c, e| {
            let rank_limit: Option<i64> = sqlx::query_scalar(CANARY_LIMIT.of(e))
                .bind(id.0)
                .fetch_one(&mut *c)
                .await
                .named(&CANARY_LIMIT)?;
            let notes: Vec<(i64, String)> = sqlx::query_as(CANARY_NOTES.of(e))
                .bind(id.0)
                .bind(CANARY)
                .fetch_all(&mut *c)
                .await
                .named(&CANARY_NOTES)?;
            let notes = notes.into_iter().map(|(at, data)| (Timestamp(at), data)).collect();
            Ok(CanaryRow { rank_limit, notes })
        })
    }

    /// Rows of the audience up to a rank that nobody has tried.
    ///
    /// # Errors
    /// The database's.
    pub async fn canary_untried(&self, id: CampaignId, rank_limit: i64) -> Result<i64> {
        read!(self, |c, e| {
            sqlx::query_scalar(CANARY_SHARE.of(e))
                .bind(id.0)
                .bind(rank_limit)
                .fetch_one(&mut *c)
                .await
                .named(&CANARY_SHARE)
        })
    }

    /// Whether rows of a canary's share are not done, as long as its rank limit holds. It stops at the first.
    ///
    /// # Errors
    /// The database's.
    pub async fn canary_waits(&self, id: CampaignId, rank_limit: i64) -> Result<bool> {
        let found: i64 = read!(self, |c, e| {
            sqlx::query_scalar(CANARY_WAITS.of(e))
                .bind(id.0)
                .bind(rank_limit)
                .fetch_one(&mut *c)
                .await
                .named(&CANARY_WAITS)
        })?;
        Ok(found > 0)
    }

    /// How many rows of a canary's share are not done, as long as its rank limit holds; for people, since it counts them all.
    ///
    /// # Errors
    /// The database's.
    pub async fn canary_open(&self, id: CampaignId, rank_limit: i64) -> Result<i64> {
        let untried = self.canary_untried(id, rank_limit).await?;
        let tried: i64 = read!(self, |c, e| {
            sqlx::query_scalar(CANARY_TRIED.of(e))
                .bind(id.0)
                .fetch_one(&mut *c)
                .await
                .named(&CANARY_TRIED)
        })?;
        Ok(untried + tried)
    }

    /// Stops a relay for a provider and notes it on the campaign. False where a brake stands.
    ///
    /// # Errors
    /// The database's.
    pub async fn brake_by_placement(
        &self,
        id: CampaignId,
        brake: &SpamBrake,
        slowed_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool> {
        let note = SpamNote {
            relay: brake.relay,
            provider: brake.provider.code(),
            why: brake.reason.clone(),
            slowed_until,
            judged_at: None,
        };
        let data = json("a note of a brake", &note)?;
        tx!(self, |c, e| {
            let set = sqlx::query(BRAKE_PLACE.of(e))
                .bind(brake.relay.0)
                .bind(brake.provider.code())
                .bind(brake.until.0)
                .bind(&brake.reason)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&BRAKE_PLACE)?;
            if set.rows_affected() == 1 {
                note!(c, e, PLACEMENT_BRAKE, id, &data, now);
            }
            Ok(set.rows_affected() == 1)
        })
    }

    /// Stops a slowed relay once more, if its last stop ended before `ended`. False where none is due, or the operator lifted
    /// it.
    ///
    /// # Errors
    /// The database's.
    pub async fn brake_again(
        &self,
        (relay, provider): (RelayId, MailboxProvider),
        until: Timestamp,
        ended: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        tx!(self, |c, e| {
            sqlx::query(BRAKE_AGAIN.of(e))
                .bind(relay.0)
                .bind(provider.code())
                .bind(until.0)
                .bind(now.0)
                .bind(ended.0)
                .execute(&mut *c)
                .await
                .named(&BRAKE_AGAIN)
                .map(|done| done.rows_affected() == 1)
        })
    }

    /// Turns a stop by placement into the first rest of a slowed relay, and notes it. False where no longer stop stands, or the
    /// operator lifted it.
    ///
    /// # Errors
    /// The database's.
    pub async fn slow_brake(
        &self,
        id: CampaignId,
        note: &SpamNote,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let data = json("a note of a brake", note)?;
        tx!(self, |c, e| {
            let slowed = sqlx::query(BRAKE_SLOW.of(e))
                .bind(note.relay.0)
                .bind(note.provider)
                .bind(until.0)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&BRAKE_SLOW)?;
            if slowed.rows_affected() == 1 {
                note!(c, e, PLACEMENT_BRAKE, id, &data, now);
            }
            Ok(slowed.rows_affected() == 1)
        })
    }

    /// The brakes that were set by placement while campaigns ran that are under way, or ended after a time, in order; a note
    /// that cannot be read is left out.
    ///
    /// # Errors
    /// The database's.
    pub async fn placement_brakes(&self, ended_after: Timestamp) -> Result<Vec<PlacedBrake>> {
        let notes: Vec<(i64, i64, String)> = read!(self, |c, e| {
            sqlx::query_as(BRAKES_PLACED.of(e))
                .bind(ended_after.0)
                .bind(PLACEMENT_BRAKE)
                .fetch_all(&mut *c)
                .await
                .named(&BRAKES_PLACED)
        })?;
        let read = |(campaign, at, data): (i64, i64, String)| {
            let note = serde_json::from_str(&data).ok()?;
            Some(PlacedBrake { campaign: CampaignId(campaign), at: Timestamp(at), note })
        };
        Ok(notes.into_iter().filter_map(read).collect())
    }

    /// Campaigns with seeds that are under way, or ended after a time, the older first.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaigns_seeded_since(&self, ended_after: Timestamp) -> Result<Vec<CampaignId>> {
        let ids: Vec<i64> = read!(self, |c, e| {
            sqlx::query_scalar(CAMPAIGNS_SEEDED.of(e))
                .bind(ended_after.0)
                .fetch_all(&mut *c)
                .await
                .named(&CAMPAIGNS_SEEDED)
        })?;
        Ok(ids.into_iter().map(CampaignId).collect())
    }
}
