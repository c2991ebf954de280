//! Rows that move without a lane: ended with their campaign, or reopened by an operator or a policy; test rows.
//!
//! Called by `campaign` in slices. What must hold: only Scheduled rows are ended here (Leased and Sending ones are
//! a lane's, whose put-back ends them); a reopened row that may already have arrived gets another copy number in
//! its envelope tag, and keeps identity, Date and hash of the first copy unless the operator asked.

use crate::audience::SLICE;
use crate::backend::{Named, read, tx};
use crate::campaigns::json;
use crate::counters::{Delta, add_counters};
use crate::sql::sql;
use crate::{Result, Store};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::token::DeliveryToken;
use postroad_model::{
    CampaignId, ContactId, DeliveryId, EmailAddress, MailboxProvider, RelayId, Timestamp, rank,
};
use serde::Serialize;

sql! {
    each ROWS_FRESH = "rows_fresh";
    each ROWS_IN_STATES = "rows_in_states";
    each ROWS_LOCKED = "rows_locked";
    each ROWS_END = "rows_end";
    each ROWS_REOPEN = "rows_reopen";
    both ROWS_RESENDABLE = "rows_resendable";
    both TEST_ROW_INSERT = "test_row_insert";
    both CAMPAIGN_EVENT = "campaign_event";
}

/// How rows that wait end with their campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The campaign's time is over.
    Expired,
    /// The operator cancelled it.
    Cancelled,
}

impl Ending {
    fn state(self) -> DeliveryState {
        match self {
            Self::Expired => DeliveryState::Expired,
            Self::Cancelled => DeliveryState::Cancelled,
        }
    }
}

/// Who reopens rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopening {
    /// `campaign retry`: the operator's word; the next copy starts afresh.
    Operator,
    /// `on_unknown = resend`: at most so many copies in all, each the same as the first.
    Policy {
        /// Copies in all.
        copies: i64,
    },
}

/// A row's key in a JSON batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::FromRow)]
struct RowKey {
    #[serde(rename = "b")]
    bucket: i64,
    #[serde(rename = "i")]
    id: i64,
}

#[derive(Debug, sqlx::FromRow)]
struct Locked {
    bucket: i64,
    id: i64,
    role: i64,
    state: i64,
    lane_relay: i64,
    provider: i64,
    copy_no: i64,
    content_hash: Option<i64>,
    mail_from: Option<String>,
}

#[derive(Serialize)]
struct Reopened {
    b: i64,
    i: i64,
    c: i64,
    m: Option<String>,
    k: i64,
}

impl Locked {
    fn delta(&self, id: CampaignId, to: DeliveryState) -> Option<Delta> {
        let (role, from) = (Role::from_code(self.role)?, DeliveryState::from_code(self.state)?);
        Some(Delta::moved(id, role, RelayId(self.lane_relay), from, to))
    }
}

/// Reads and locks rows of a batch inside a `tx!` body.
macro_rules! lock_rows {
    ($c:expr, $e:expr, $keys:expr, $id:expr, $states:expr) => {{
        let rows: Vec<Locked> = sqlx::query_as(ROWS_LOCKED.of($e))
            .bind(json("a batch of rows", &$keys)?)
            .bind($id.0)
            .bind($states)
            .fetch_all(&mut *$c)
            .await
            .named(&ROWS_LOCKED)?;
        rows
    }};
}

fn codes(states: &[DeliveryState]) -> String {
    let codes: Vec<i64> = states.iter().map(|s| s.code()).collect();
    format!("{codes:?}")
}

/// The envelope tag of the next copy in place of the last one's; a MAIL FROM without a tag stays as it is.
fn retag(store: &Store, row: &Locked, campaign: CampaignId, copy_no: i64) -> Option<String> {
    let old = row.mail_from.as_ref()?;
    let delivery = DeliveryId { bucket: row.bucket, id: row.id };
    let tag = |copy_no| store.keys().envelope(&DeliveryToken { delivery, campaign, copy_no });
    Some(old.replace(&tag(row.copy_no), &tag(copy_no)))
}

impl Store {
    /// Ends the next slice of a campaign's Scheduled rows; gives how many, 0 when none waits any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_rows(&self, id: CampaignId, ending: Ending, now: Timestamp) -> Result<u64> {
        let fresh: Vec<RowKey> = read!(self, |c, e| {
            sqlx::query_as(ROWS_FRESH.of(e))
                .bind(id.0)
                .bind(SLICE)
                .fetch_all(&mut *c)
                .await
                .named(&ROWS_FRESH)
        })?;
        let keys = if fresh.is_empty() {
            let waiting = [DeliveryState::Scheduled];
            self.rows_in_states(id, (None, &waiting), 0, Timestamp(i64::MAX)).await?
        } else {
            fresh
        };
        if keys.is_empty() {
            return Ok(0);
        }
        let waiting = codes(&[DeliveryState::Scheduled]);
        tx!(self, |c, e| {
            let rows = lock_rows!(c, e, keys, id, &waiting);
            let batch: Vec<RowKey> =
                rows.iter().map(|r| RowKey { bucket: r.bucket, id: r.id }).collect();
            sqlx::query(ROWS_END.of(e))
                .bind(json("a batch of rows", &batch)?)
                .bind(ending.state().code())
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&ROWS_END)?;
            let deltas: Vec<Delta> =
                rows.iter().filter_map(|r| r.delta(id, ending.state())).collect();
            add_counters!(c, e, deltas);
            Ok(rows.len() as u64)
        })
    }

    /// A page of a campaign's rows of a role (or all) in some states, after a row id, not touched since a time.
    async fn rows_in_states(
        &self,
        id: CampaignId,
        (role, states): (Option<Role>, &[DeliveryState]),
        after: i64,
        untouched_since: Timestamp,
    ) -> Result<Vec<RowKey>> {
        let states = codes(states);
        read!(self, |c, e| {
            sqlx::query_as(ROWS_IN_STATES.of(e))
                .bind(id.0)
                .bind(after)
                .bind(&states)
                .bind(untouched_since.0)
                .bind(SLICE)
                .bind(role.map_or(-1, Role::code))
                .fetch_all(&mut *c)
                .await
                .named(&ROWS_IN_STATES)
        })
    }

    /// Reopens the rows of a campaign in some states, untouched since a time, in slices; gives how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn reopen_rows(
        &self,
        id: CampaignId,
        states: &[DeliveryState],
        untouched_since: Timestamp,
        reopening: Reopening,
        now: Timestamp,
    ) -> Result<u64> {
        let (mut after, mut reopened) = (0, 0);
        loop {
            let which = (Some(Role::Audience), states);
            let keys = self.rows_in_states(id, which, after, untouched_since).await?;
            let Some(last) = keys.last() else { return Ok(reopened) };
            after = last.id;
            reopened += self.reopen_slice(id, states, &keys, reopening, now).await?;
        }
    }

    async fn reopen_slice(
        &self,
        id: CampaignId,
        states: &[DeliveryState],
        keys: &[RowKey],
        reopening: Reopening,
        now: Timestamp,
    ) -> Result<u64> {
        let states = codes(states);
        tx!(self, |c, e| {
            let mut rows = lock_rows!(c, e, keys, id, &states);
            if let Reopening::Policy { copies } = reopening {
                rows.retain(|r| r.copy_no + 1 < copies);
            }
            let batch: Vec<Reopened> =
                rows.iter().map(|r| self.next_copy(id, r, reopening)).collect();
            sqlx::query(ROWS_REOPEN.of(e))
                .bind(json("a batch of rows", &batch)?)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&ROWS_REOPEN)?;
            let deltas: Vec<Delta> =
                rows.iter().filter_map(|r| r.delta(id, DeliveryState::Scheduled)).collect();
            add_counters!(c, e, deltas);
            let mut providers: Vec<i64> = rows.iter().map(|r| r.provider).collect();
            providers.sort_unstable();
            providers.dedup();
            for provider in providers {
                sqlx::query(crate::audience::QUEUE_ADD.of(e))
                    .bind(id.0)
                    .bind(provider)
                    .execute(&mut *c)
                    .await
                    .named(&crate::audience::QUEUE_ADD)?;
            }
            Ok(rows.len() as u64)
        })
    }

    /// How a row is sent again: a copy that may have arrived counts, one without an intent does not.
    fn next_copy(&self, id: CampaignId, row: &Locked, reopening: Reopening) -> Reopened {
        let dotted = row.content_hash.is_some();
        let copy_no = row.copy_no + i64::from(dotted);
        let keep = match reopening {
            Reopening::Operator => false,
            Reopening::Policy { .. } => true,
        };
        let mail_from = if keep { retag(self, row, id, copy_no) } else { None };
        Reopened { b: row.bucket, i: row.id, c: copy_no, m: mail_from, k: i64::from(keep) }
    }

    /// True while an unknown row may still get another copy, of `copies` in all.
    ///
    /// # Errors
    /// The database's.
    pub async fn resendable(&self, id: CampaignId, copies: i64) -> Result<bool> {
        let n: i64 = read!(self, |c, e| {
            sqlx::query_scalar(ROWS_RESENDABLE.of(e))
                .bind(id.0)
                .bind(copies)
                .fetch_one(&mut *c)
                .await
                .named(&ROWS_RESENDABLE)
        })?;
        Ok(n > 0)
    }

    /// Records an act on a campaign's rows, for `explain`.
    ///
    /// # Errors
    /// The database's.
    pub async fn record_campaign_event(
        &self,
        id: CampaignId,
        kind: &str,
        data: &serde_json::Value,
        now: Timestamp,
    ) -> Result<()> {
        let data = data.to_string();
        tx!(self, |c, e| {
            sqlx::query(CAMPAIGN_EVENT.of(e))
                .bind(now.0)
                .bind(kind)
                .bind(id.0)
                .bind(&data)
                .execute(&mut *c)
                .await
                .named(&CAMPAIGN_EVENT)
                .map(drop)
        })
    }

    /// Writes one test row per relay, pinned to it; gives their ids in the order of the relays.
    ///
    /// # Errors
    /// The database's.
    pub async fn insert_test_rows(
        &self,
        campaign: &crate::StoredCampaign,
        contact: Option<ContactId>,
        address: &EmailAddress,
        relays: &[RelayId],
        now: Timestamp,
    ) -> Result<Vec<DeliveryId>> {
        let campaign = &campaign.campaign;
        self.ensure_partition(campaign.bucket).await?;
        let hash = self.keys().address_hash(address);
        let provider = MailboxProvider::of_domain(address.domain());
        tx!(self, |c, e| {
            let mut ids = Vec::with_capacity(relays.len());
            for relay in relays {
                let id: i64 = sqlx::query_scalar(TEST_ROW_INSERT.of(e))
                    .bind(campaign.id.0)
                    .bind(relay.0)
                    .bind(contact.map(|x| x.0))
                    .bind(address.to_string())
                    .bind(hash)
                    .bind(provider.code())
                    .bind(rank::rank(campaign.seed, hash))
                    .bind(now.0)
                    .fetch_one(&mut *c)
                    .await
                    .named(&TEST_ROW_INSERT)?;
                ids.push(DeliveryId { bucket: campaign.bucket, id });
            }
            let waits = DeliveryState::Scheduled.code();
            let fresh = Delta::tally(campaign.id, Role::Test, RelayId(0), waits);
            add_counters!(c, e, vec![fresh; relays.len()]);
            Ok(ids)
        })
    }
}
