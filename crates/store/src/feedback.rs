//! What came back: one transaction for each report, with the row, the suppression and the counts that follow from it.
//!
//! Called by `feedback` alone, which has found the delivery and decided what the report means; the transitions are
//! `DeliveryState::after_evidence` of model, the thresholds `Threshold::is_reached`. What must always hold: the same key
//! is recorded once; a row in `Sending` is never touched (its own reply comes first); an address that is suppressed here
//! has no waiting row when the call returns (as `suppressions`); limit rows are locked before delivery rows. It does not
//! know what a mail or a webhook is.

use crate::backend::{Named, read, tx};
use crate::feedback_words::{NewFeedback, Recorded, SentLine, SentRow, Strength};
use crate::ledger::{apply, lock_limits, save_books};
use crate::sql::sql;
use crate::suppressions::{
    NewRow, STOP_FIND_ALL, SUPPRESSIONS_ADD, reason_name, repeat_on_conflict, stop_rows,
};
use crate::{LedgerAct, Result, Store, Suppressed};
use postroad_model::delivery::{DeliveryState, Detail, Role};
use postroad_model::feedback::{Evidence, Strike, Threshold};
use postroad_model::suppression::SuppressionScope;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{CampaignId, DeliveryId, EmailAddress, MailboxProvider, RelayId, Timestamp};

sql! {
    each FEEDBACK_LOCK = "feedback_lock";
    both FEEDBACK_EVENT = "feedback_event";
    both FEEDBACK_MOVE = "feedback_move";
    both FEEDBACK_TALLY = "feedback_tally";
    both FEEDBACK_BLOCKS = "feedback_blocks";
    both FEEDBACK_STRIKES = "feedback_strikes";
    both FEEDBACK_COUNT = "feedback_count";
    both FEEDBACK_COUNT_CAMPAIGN = "feedback_count_campaign";
    both FEEDBACK_ROW = "feedback_row";
    both FEEDBACK_ROWS_OF = "feedback_rows_of";
    both SEED_COPY_AGAIN = "seed_copy_again";
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Locked {
    pub(crate) state: i64,
    pub(crate) role: i64,
    pub(crate) lane_relay: i64,
    pub(crate) copy_no: i64,
    pub(crate) content_hash: Option<i64>,
    over: i64,
}

/// What the row becomes. A campaign that is over sends nothing again.
pub(crate) fn next_state(
    row: &Locked,
    state: DeliveryState,
    evidence: Evidence,
) -> Option<DeliveryState> {
    let evidence =
        if evidence == Evidence::Quota && row.over != 0 { Evidence::Returned } else { evidence };
    state.after_evidence(evidence)
}

/// Moves the row inside a `tx!` body.
macro_rules! move_row {
    ($c:expr, $e:expr, $new:expr, $row:expr, $from:expr, $to:expr, $now:expr) => {{
        let id = $new.row.id;
        if $to == DeliveryState::Scheduled {
            let copy = $row.copy_no + i64::from($row.content_hash.is_some());
            let batch = serde_json::json!([{"b": id.bucket, "i": id.id, "c": copy, "m": null, "k": 0}]);
            sqlx::query($crate::closing::ROWS_REOPEN.of($e))
                .bind(batch.to_string())
                .bind($now.0)
                .execute(&mut *$c)
                .await
                .named(&$crate::closing::ROWS_REOPEN)?;
            if $row.role == Role::Audience.code() {
                sqlx::query($crate::audience::QUEUE_ADD.of($e))
                    .bind($new.row.campaign.0)
                    .bind($new.row.provider.code())
                    .execute(&mut *$c)
                    .await
                    .named(&$crate::audience::QUEUE_ADD)?;
            } else {
                // Its relay takes the row itself; a seed's copy is looked for anew, a test has none.
                sqlx::query($crate::feedback::SEED_COPY_AGAIN.of($e))
                    .bind(id.id)
                    .execute(&mut *$c)
                    .await
                    .named(&$crate::feedback::SEED_COPY_AGAIN)?;
            }
        } else {
            let (code, status, words) = &$new.said;
            sqlx::query($crate::feedback::FEEDBACK_MOVE.of($e))
                .bind(id.bucket)
                .bind(id.id)
                .bind($to.code())
                .bind($now.0)
                .bind(code.map(i64::from))
                .bind(status)
                .bind(words)
                .execute(&mut *$c)
                .await
                .named(&$crate::feedback::FEEDBACK_MOVE)?;
        }
        if let Some(role) = Role::from_code($row.role) {
            let lane = postroad_model::RelayId($row.lane_relay);
            let moved = $crate::counters::Delta::moved($new.row.campaign, role, lane, $from, $to);
            $crate::counters::add_counters!($c, $e, [moved]);
        }
    }};
}

pub(crate) use move_row;

/// 1 for what a token found about a row of the audience.
pub(crate) fn proven(new: &NewFeedback) -> i64 {
    i64::from(new.strength == Strength::Strong && new.row.role == Role::Audience)
}

/// Counts the report where rates are judged, inside a `tx!` body. A rate is of rows, and one that is blocked goes back and
/// may be blocked again: the first time counts.
macro_rules! tally {
    ($c:expr, $e:expr, $new:expr) => {
        if let Some((kind, reason)) = $new.verdict
            && $new.row.role == Role::Audience
            && (kind != BounceKind::Block || blocks!($c, $e, $new) == 1)
        {
            let weak = i64::from($new.strength == Strength::Weak);
            sqlx::query(FEEDBACK_TALLY.of($e))
                .bind($new.row.campaign.0)
                .bind($new.row.relay.0)
                .bind($new.row.provider.code())
                .bind(kind.as_str())
                .bind(reason.as_str())
                .bind(1 - weak)
                .bind(weak)
                .execute(&mut *$c)
                .await
                .named(&FEEDBACK_TALLY)?;
        }
    };
}

/// Counts the recorded blocks of the row, this one among them, inside a `tx!` body.
macro_rules! blocks {
    ($c:expr, $e:expr, $new:expr) => {{
        let n: i64 = sqlx::query_scalar(FEEDBACK_BLOCKS.of($e))
            .bind($new.row.id.bucket)
            .bind($new.row.id.id)
            .bind(proven($new))
            .fetch_one(&mut *$c)
            .await
            .named(&FEEDBACK_BLOCKS)?;
        n
    }};
}

/// Locks a row inside a `tx!` body; gives it with its state, or `None` when there is no such row.
macro_rules! lock_row {
    ($c:expr, $e:expr, $id:expr, $now:expr) => {{
        let locked: Option<$crate::feedback::Locked> =
            sqlx::query_as($crate::feedback::FEEDBACK_LOCK.of($e))
                .bind($id.bucket)
                .bind($id.id)
                .bind($now.0)
                .fetch_optional(&mut *$c)
                .await
                .named(&$crate::feedback::FEEDBACK_LOCK)?;
        match locked {
            None => None,
            Some(row) => {
                let from = postroad_model::delivery::DeliveryState::from_code(row.state)
                    .ok_or_else(|| $crate::Error::Inconsistent {
                        table: "deliveries",
                        column: "state",
                        id: $id.to_string(),
                    })?;
                Some((row, from))
            }
        }
    }};
}
pub(crate) use lock_row;

/// Writes the event inside a `tx!` body; `None` when its key is there.
macro_rules! insert_event {
    ($c:expr, $e:expr, $new:expr) => {{
        let event: Option<i64> = sqlx::query_scalar($crate::feedback::FEEDBACK_EVENT.of($e))
            .bind($new.at.0)
            .bind($new.kind.as_str())
            .bind($new.row.campaign.0)
            .bind($new.row.id.bucket)
            .bind($new.row.id.id)
            // A seed's row borrows somebody's data: what comes back for it is not his.
            .bind($new.row.contact.filter(|_| $new.row.role == Role::Audience).map(|x| x.0))
            .bind(&$new.key)
            .bind(&$new.data)
            .bind($new.row.hash)
            .bind(($new.row.relay.0 != 0).then_some($new.row.relay.0))
            .bind($new.row.provider.code())
            .bind($new.verdict.map(|(kind, _)| kind.as_str()))
            .bind($new.verdict.map(|(_, reason)| reason.as_str()))
            .bind($crate::feedback::proven($new))
            .fetch_optional(&mut *$c)
            .await
            .named(&$crate::feedback::FEEDBACK_EVENT)?;
        event
    }};
}

pub(crate) use insert_event;

/// Suppresses the address inside a `tx!` body, if its reports reach the threshold.
macro_rules! suppress_if_reached {
    ($c:expr, $e:expr, $new:expr, $now:expr) => {
        match (NewRow::of($new), $new.verdict) {
            (Some((threshold, add)), Some((_, reason))) => {
                let within = i64::try_from(threshold.within.as_millis()).unwrap_or(i64::MAX);
                let strikes: Vec<(i64, i64)> = sqlx::query_as(FEEDBACK_STRIKES.of($e))
                    .bind($new.row.hash)
                    .bind($new.at.0.saturating_sub(within))
                    .bind(reason.as_str())
                    .fetch_all(&mut *$c)
                    .await
                    .named(&FEEDBACK_STRIKES)?;
                if reached(threshold, &strikes, $new.at) {
                    let added: Vec<i64> = sqlx::query_scalar(SUPPRESSIONS_ADD.of($e))
                        .bind(crate::suppressions::batch(&[add])?)
                        .fetch_all(&mut *$c)
                        .await
                        .named(&SUPPRESSIONS_ADD)?;
                    let hashes = format!("[{}]", $new.row.hash);
                    let stopped =
                        stop_rows!($c, $e, &STOP_FIND_ALL, &hashes, Detail::Suppressed, $now);
                    Some(Suppressed { added: added.len() as u64, stopped })
                } else {
                    None
                }
            }
            (Some(_) | None, _) => None,
        }
    };
}

fn reached(threshold: Threshold, strikes: &[(i64, i64)], at: Timestamp) -> bool {
    let strikes: Vec<Strike> = strikes
        .iter()
        .map(|(campaign, at)| Strike { campaign: *campaign, at: Timestamp(*at) })
        .collect();
    threshold.is_reached(&strikes, at)
}

impl NewRow {
    /// The suppression that a report may lead to; none for seeds, tests and the erased.
    fn of(new: &NewFeedback) -> Option<(Threshold, Self)> {
        let when = new.suppress.as_ref()?;
        let address = new.row.address.as_ref()?;
        let row = Self {
            hash: new.row.hash,
            scope: SuppressionScope::All.as_i64(),
            address: Some(address.to_string()),
            reason: reason_name(when.reason),
            origin: when.origin.clone(),
            at: new.at.0,
        };
        (new.row.role == Role::Audience).then_some((when.threshold, row))
    }
}

impl Store {
    /// Records a report and what follows from it, once.
    ///
    /// # Errors
    /// The database's; then nothing was recorded.
    pub async fn record_feedback(&self, new: &NewFeedback, now: Timestamp) -> Result<Recorded> {
        let recorded = repeat_on_conflict!(self.record_once(new, now))?;
        if let Recorded::Fresh { moved, suppressed: Some(mut done) } = recorded
            && self.engine() == crate::Engine::Postgres
        {
            // A W1 that read before the first transaction committed may have leased meanwhile.
            done.stopped += repeat_on_conflict!(self.stop_address(new.row.hash, now))?;
            return Ok(Recorded::Fresh { moved, suppressed: Some(done) });
        }
        Ok(recorded)
    }

    async fn record_once(&self, new: &NewFeedback, now: Timestamp) -> Result<Recorded> {
        tx!(self, |c, e| {
            let mut books = match &new.full {
                Some((scope, _)) => lock_limits!(c, e, scope),
                None => Vec::new(),
            };
            let Some((row, from)) = lock_row!(c, e, new.row.id, now) else {
                return Ok(Recorded::SeenBefore);
            };
            if from == DeliveryState::Sending {
                return Ok(Recorded::OnTheWire);
            }
            if insert_event!(c, e, new).is_none() {
                return Ok(Recorded::SeenBefore);
            }
            if let Some((_, limit)) = &new.full {
                apply(&mut books, &LedgerAct::MarkFull { limit: limit.clone() }, now)?;
                save_books!(c, e, &books);
            }
            let moved = next_state(&row, from, new.evidence);
            if let Some(to) = moved {
                move_row!(c, e, new, row, from, to, now);
            }
            tally!(c, e, new);
            let suppressed = suppress_if_reached!(c, e, new, now);
            Ok(Recorded::Fresh { moved, suppressed })
        })
    }

    async fn stop_address(&self, hash: i64, now: Timestamp) -> Result<u64> {
        let hashes = format!("[{hash}]");
        tx!(self, |c, e| Ok(stop_rows!(c, e, &STOP_FIND_ALL, &hashes, Detail::Suppressed, now)))
    }

    /// The row that a token names.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn sent_row(&self, id: DeliveryId) -> Result<Option<SentRow>> {
        let line: Option<SentLine> = read!(self, |c, e| {
            sqlx::query_as(FEEDBACK_ROW.of(e))
                .bind(id.bucket)
                .bind(id.id)
                .fetch_optional(&mut *c)
                .await
                .named(&FEEDBACK_ROW)
        })?;
        line.map(TryInto::try_into).transpose()
    }

    /// What was sent to an address since a time, the newest first; 20 at most.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn sent_to(&self, address: &EmailAddress, since: Timestamp) -> Result<Vec<SentRow>> {
        let hash = self.keys.address_hash(address);
        let lines: Vec<SentLine> = read!(self, |c, e| {
            sqlx::query_as(FEEDBACK_ROWS_OF.of(e))
                .bind(hash)
                .bind(since.0)
                .fetch_all(&mut *c)
                .await
                .named(&FEEDBACK_ROWS_OF)
        })?;
        lines.into_iter().map(TryInto::try_into).collect()
    }

    /// How many rows met a reason at a relay since a time, at one mailbox provider or anywhere; only what is proven.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_reason(
        &self,
        relay: RelayId,
        provider: Option<MailboxProvider>,
        reason: Reason,
        since: Timestamp,
    ) -> Result<i64> {
        read!(self, |c, e| {
            sqlx::query_scalar(FEEDBACK_COUNT.of(e))
                .bind(relay.0)
                .bind(reason.as_str())
                .bind(since.0)
                .bind(provider.map_or(-1, MailboxProvider::code))
                .fetch_one(&mut *c)
                .await
                .named(&FEEDBACK_COUNT)
        })
    }

    /// How many rows of a campaign met a reason since a time; only what is proven.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_campaign_reason(
        &self,
        campaign: CampaignId,
        reason: Reason,
        since: Timestamp,
    ) -> Result<i64> {
        read!(self, |c, e| {
            sqlx::query_scalar(FEEDBACK_COUNT_CAMPAIGN.of(e))
                .bind(campaign.0)
                .bind(reason.as_str())
                .bind(since.0)
                .fetch_one(&mut *c)
                .await
                .named(&FEEDBACK_COUNT_CAMPAIGN)
        })
    }
}
