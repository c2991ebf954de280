//! W2, the intent, and W3, the settlement: the writes of many connections in one commit.
//!
//! Called by the committer of the delivery crate, which collects what connections ask for while the previous
//! commit runs. A batch is one transaction: W3 first, then W2, each one statement over a JSON batch. What must
//! always hold: an intent is granted only while the row's token, the lane's epoch and lease and the campaign
//! allow it; an outcome moves only a row that still has the token; what a stale token brings is evidence and
//! moves only a row that is Unknown since that same attempt. `writer` is the usual way of a batch.

use crate::backend::{Backend, Named, tx};
use crate::counters::{self, Delta, TALLY_DEFERRED, add_counters};
use crate::sql::sql;
use crate::write_lines::{SettleLine, attempts, intent_lines, json, settle_lines};
use crate::writer::{Call, NotCalled};
use crate::{Engine, Error, Result, Store};
use postroad_model::delivery::{DeliveryState, Detail, Role};
use postroad_model::verdict::Reason;
use postroad_model::{CampaignId, DeliveryId, Epoch, LeaseToken, RelayId, Reply, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

sql! {
    postgres WRITE_LANES = "write_lanes";
    each WRITE_INTENTS = "write_intents";
    each WRITE_SETTLES = "write_settles";
    each WRITE_EVIDENCE = "write_evidence";
    each WRITE_ATTEMPTS = "write_attempts";
    each LOOK_UP = "look_up";
}

/// Names a leased row in every later write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The row.
    pub id: DeliveryId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// What it is for.
    pub role: Role,
    /// The lane.
    pub relay: RelayId,
    /// The lane's serial.
    pub epoch: Epoch,
    /// The batch's token.
    pub token: LeaseToken,
    /// The lease's serial.
    pub attempt: i64,
}

/// W2: a connection got the 354 and asks for its final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The row.
    pub claim: Claim,
    /// Hash of the unsigned bytes.
    pub content_hash: i64,
    /// MAIL FROM as it was sent.
    pub mail_from: String,
    /// The Date field.
    pub date: Timestamp,
}

/// What a settlement makes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The relay took it.
    Accepted,
    /// The relay refused it for good.
    Rejected,
    /// Ours: it cannot be sent.
    Failed(Detail),
    /// The dot may have arrived and no reply came.
    Unknown,
    /// The recipient's side defers: `tries` grows, the row is bound, MAIL FROM stays.
    Deferred {
        /// Not before.
        until: Timestamp,
        /// MAIL FROM as it was sent.
        mail_from: String,
        /// The Date field.
        date: Timestamp,
        /// Stay with this relay until then; `Timestamp(0)`: for good.
        pinned_until: Option<Timestamp>,
        /// Whose side deferred.
        charged: Charged,
    },
    /// Not the recipient's fault: back without a try.
    PutBack {
        /// Not before.
        until: Timestamp,
        /// A policy block, which is counted apart.
        blocked: Blocked,
    },
}

/// Whether a deferral counts against the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// The recipient's side defers: a try.
    Recipient,
    /// We are too fast or have a bad name there: no try.
    Nobody,
}

/// Whether a row goes back because somebody blocks us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// A policy block.
    Yes,
    /// Anything else.
    No,
}

/// W3: what became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The row.
    pub claim: Claim,
    /// What it becomes.
    pub settled: Settled,
    /// What the relay answered, where it did.
    pub reply: Option<Reply>,
    /// Where in the dialogue, for the record.
    pub phase: Option<&'static str>,
    /// The rule that decided, for `explain`.
    pub rule: Option<String>,
    /// What the row is now: Sending once its intent was granted, Leased before.
    pub was: Was,
    /// For the numbers; not written.
    pub seen: Seen,
}

/// What the engine saw of an attempt that a reply decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Why, as the classifier says; none for an acceptance.
    pub reason: Option<Reason>,
    /// From the offer of its envelope to the reply that decided it, in milliseconds.
    pub took_ms: Option<i64>,
    /// From its first lease to that reply, in milliseconds.
    pub waited_ms: Option<i64>,
}

/// The two states that a settlement leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// No intent was granted.
    Leased,
    /// The intent is durable.
    Sending,
}

impl Settlement {
    fn moves(&self) -> Delta {
        let c = &self.claim;
        Delta::moved(c.campaign, c.role, c.relay, self.was.state(), self.settled.state())
    }
}

impl Was {
    pub(crate) fn state(self) -> DeliveryState {
        match self {
            Self::Leased => DeliveryState::Leased,
            Self::Sending => DeliveryState::Sending,
        }
    }
}

impl Settled {
    /// The state that the row gets unless its campaign is over.
    #[must_use]
    pub fn state(&self) -> DeliveryState {
        match self {
            Self::Accepted => DeliveryState::Accepted,
            Self::Rejected => DeliveryState::Rejected,
            Self::Failed(_) => DeliveryState::Failed,
            Self::Unknown => DeliveryState::Unknown,
            Self::Deferred { .. } | Self::PutBack { .. } => DeliveryState::Scheduled,
        }
    }

    /// The word in the table of attempts.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Failed(_) => "failed",
            Self::Unknown => "unknown",
            Self::Deferred { .. } => "deferred",
            Self::PutBack { blocked: Blocked::Yes, .. } => "blocked",
            Self::PutBack { blocked: Blocked::No, .. } => "put_back",
        }
    }
}

/// One commit's worth.
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    /// W3.
    pub settlements: Vec<Settlement>,
    /// W2.
    pub intents: Vec<Intent>,
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteAnswer {
    /// The rows whose intent is durable.
    pub granted: BTreeSet<DeliveryId>,
    /// The rows that a settlement moved, with the state they have now.
    pub moved: BTreeMap<DeliveryId, DeliveryState>,
}

/// A row that a statement moved, with the state it has now.
#[derive(Debug, sqlx::FromRow)]
struct MovedRow {
    bucket: i64,
    id: i64,
    state: i64,
}

/// Records the attempts of a batch inside a `tx!` body.
macro_rules! record {
    ($c:expr, $e:expr, $batch:expr, $now:expr) => {{
        let records = attempts(&$batch.settlements);
        if !records.is_empty() {
            sqlx::query(WRITE_ATTEMPTS.of($e))
                .bind(json(&records)?)
                .bind($now.0)
                .execute(&mut *$c)
                .await
                .named(&WRITE_ATTEMPTS)?;
        }
    }};
}

/// Keeps the lanes of a batch from changing hands inside a `tx!` body; SQLite's writer is alone anyway.
macro_rules! lock_lanes {
    ($c:expr, $e:expr, $lines:expr) => {{
        if $e == Engine::Postgres {
            let relays: BTreeSet<i64> = $lines.iter().map(|l| l.r).collect();
            sqlx::query(WRITE_LANES.of($e))
                .bind(serde_json::json!(relays).to_string())
                .execute(&mut *$c)
                .await
                .named(&WRITE_LANES)?;
        }
    }};
}

/// Applies W3 inside a `tx!` body and notes what moved.
macro_rules! settle {
    ($c:expr, $e:expr, $batch:expr, $now:expr, $answer:expr, $deltas:expr) => {{
        let mut lines = settle_lines($batch);
        for (statement, from) in
            [(WRITE_SETTLES, None), (WRITE_EVIDENCE, Some(DeliveryState::Unknown))]
        {
            if from.is_some() {
                // What the first statement did not move had a stale token: its final answers are evidence.
                let stale = |l: &SettleLine<'_>| {
                    !$answer.moved.contains_key(&DeliveryId { bucket: l.b, id: l.i })
                        && matches!(DeliveryState::from_code(l.s), Some(DeliveryState::Accepted | DeliveryState::Rejected))
                };
                lines.retain(stale);
            }
            if lines.is_empty() {
                continue;
            }
            let moved: Vec<MovedRow> = sqlx::query_as(statement.of($e))
                .bind(json(&lines)?)
                .bind($now.0)
                .fetch_all(&mut *$c)
                .await
                .named(&statement)?;
            for row in moved {
                let id = DeliveryId { bucket: row.bucket, id: row.id };
                let to = DeliveryState::from_code(row.state).ok_or(Error::Inconsistent {
                    table: "deliveries",
                    column: "state",
                    id: id.to_string(),
                })?;
                $answer.moved.insert(id, to);
                let Some(s) = $batch.settlements.iter().find(|s| s.claim.id == id) else { continue };
                let before = from.unwrap_or(s.was.state());
                $deltas.push(Delta::moved(s.claim.campaign, s.claim.role, s.claim.relay, before, to));
                if matches!(s.settled, Settled::Deferred { .. }) {
                    $deltas.push(Delta::tally(s.claim.campaign, s.claim.role, s.claim.relay, TALLY_DEFERRED));
                }
            }
        }
        record!($c, $e, $batch, $now);
    }};
}

/// Grants the intents that stand already, inside a `tx!` body.
///
/// A call whose answer was lost may commit after its look-up found nothing: the server works on while the connection is
/// gone. Then the same intent, asked for again, finds its row `Sending` with this very token. Nobody else has that token,
/// and one connection asks once for each offer, so the row says that this intent is durable: it is the grant. Refusing it
/// would leave a row on the wire that nobody settles, an Unknown for nothing. If the lost call comes after this
/// transaction instead, its count does not match, and it writes nothing; while both run, the row's lock decides. (A
/// settlement that such a call wrote has voided its token, so that asking again moves nothing.)
macro_rules! grant_again {
    ($c:expr, $e:expr, $batch:expr, $answer:expr) => {{
        let open: Vec<&Claim> = $batch
            .intents
            .iter()
            .map(|i| &i.claim)
            .filter(|claim| !$answer.granted.contains(&claim.id))
            .collect();
        let ids: Vec<DeliveryId> = open.iter().map(|claim| claim.id).collect();
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(LOOK_UP.of($e))
            .bind(look_up_batch(&ids))
            .fetch_all(&mut *$c)
            .await
            .named(&LOOK_UP)?;
        let stands = |claim: &&Claim| {
            let (id, token) = (claim.id, claim.token.0);
            rows.contains(&(id.bucket, id.id, DeliveryState::Sending.code(), token))
        };
        $answer.granted.extend(open.into_iter().filter(stands).map(|claim| claim.id));
    }};
}

fn look_up_batch(ids: &[DeliveryId]) -> String {
    let batch = ids.iter().map(|d| serde_json::json!({"b": d.bucket, "i": d.id})).collect();
    serde_json::Value::Array(batch).to_string()
}

fn intended(intent: &Intent) -> Delta {
    let c = &intent.claim;
    Delta::moved(c.campaign, c.role, c.relay, DeliveryState::Leased, DeliveryState::Sending)
}

fn procedure_call(batch: &WriteBatch, now: Timestamp) -> Result<Call> {
    let lines = intent_lines(batch);
    let lanes: BTreeSet<i64> = lines.iter().map(|l| l.r).collect();
    let deltas: Vec<Delta> = batch
        .settlements
        .iter()
        .map(Settlement::moves)
        .chain(batch.intents.iter().map(intended))
        .collect();
    Ok(Call {
        settles: json(&settle_lines(batch))?,
        records: json(&attempts(&batch.settlements))?,
        intents: json(&lines)?,
        lanes: json(&lanes)?,
        counts: counters::batch(&deltas).unwrap_or_else(|| "[]".to_owned()),
        n_settles: batch.settlements.len() as i64,
        n_intents: batch.intents.len() as i64,
        at: now.0,
    })
}

impl Store {
    /// Writes a batch of settlements and intents in one transaction.
    ///
    /// # Errors
    /// The database's. After an error of the commit itself it is not known whether it happened: ask
    /// [`Store::look_up`] before anything else.
    pub async fn write(&self, batch: &WriteBatch, now: Timestamp) -> Result<WriteAnswer> {
        // A deferral may become something else under a campaign that is over: only the row itself tells.
        let is_plain = |s: &Settlement| s.settled.state() != DeliveryState::Scheduled;
        if batch.settlements.iter().all(is_plain) {
            match self.write_counted(batch, now).await {
                Ok(answer) => return Ok(answer),
                Err(NotCalled::Failed(error)) => return Err(error),
                Err(NotCalled::Uneven) => {}
            }
        }
        self.write_told(batch, now).await
    }

    /// The usual batch: every row is what its connection believes, so that a count tells all, and one call of the
    /// session's procedure writes it.
    pub(crate) async fn write_counted(
        &self,
        batch: &WriteBatch,
        now: Timestamp,
    ) -> std::result::Result<WriteAnswer, NotCalled> {
        let call = procedure_call(batch, now).map_err(NotCalled::Failed)?;
        self.before_commit().await;
        match &self.backend {
            Backend::Sqlite { write, .. } => {
                write.turn().await.map_err(NotCalled::Failed)?.call(&call).await?;
            }
            Backend::Postgres { kept, .. } => kept.call(&call).await?,
        }
        Ok(WriteAnswer {
            granted: batch.intents.iter().map(|i| i.claim.id).collect(),
            moved: batch.settlements.iter().map(|s| (s.claim.id, s.settled.state())).collect(),
        })
    }

    /// Any batch: each row that moved is told.
    async fn write_told(&self, batch: &WriteBatch, now: Timestamp) -> Result<WriteAnswer> {
        tx!(self, |c, e| {
            let mut answer = WriteAnswer::default();
            let mut deltas: Vec<Delta> =
                Vec::with_capacity(batch.settlements.len() + batch.intents.len());
            if !batch.settlements.is_empty() {
                settle!(c, e, batch, now, answer, deltas);
            }
            if !batch.intents.is_empty() {
                let lines = intent_lines(batch);
                lock_lanes!(c, e, lines);
                let granted: Vec<(i64, i64)> = sqlx::query_as(WRITE_INTENTS.of(e))
                    .bind(json(&lines)?)
                    .bind(now.0)
                    .fetch_all(&mut *c)
                    .await
                    .named(&WRITE_INTENTS)?;
                answer.granted =
                    granted.into_iter().map(|(bucket, id)| DeliveryId { bucket, id }).collect();
                let granted = batch.intents.iter().filter(|i| answer.granted.contains(&i.claim.id));
                deltas.extend(granted.map(intended));
                if answer.granted.len() < batch.intents.len() {
                    grant_again!(c, e, batch, answer);
                }
            }
            add_counters!(c, e, deltas);
            Ok(answer)
        })
    }

    /// The state and token of rows as they are in the database: what a lost answer to a COMMIT really did.
    ///
    /// # Errors
    /// The database's.
    pub async fn look_up(
        &self,
        ids: &[DeliveryId],
    ) -> Result<BTreeMap<DeliveryId, (DeliveryState, LeaseToken)>> {
        let batch = look_up_batch(ids);
        let rows: Vec<(i64, i64, i64, i64)> = crate::backend::read!(self, |c, e| {
            sqlx::query_as(LOOK_UP.of(e)).bind(&batch).fetch_all(&mut *c).await.named(&LOOK_UP)
        })?;
        rows.into_iter()
            .map(|(bucket, id, state, token)| {
                let id = DeliveryId { bucket, id };
                let state = DeliveryState::from_code(state).ok_or(Error::Inconsistent {
                    table: "deliveries",
                    column: "state",
                    id: id.to_string(),
                })?;
                Ok((id, (state, LeaseToken(token))))
            })
            .collect()
    }
}
