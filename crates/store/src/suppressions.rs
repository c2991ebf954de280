//! Suppressions: addresses that must not be mailed, everywhere or on one list.
//!
//! Called by cli (`suppression ...`), web, the reply classifier's consequences and the import of bounce lists.
//! A suppression and the end of that address's waiting deliveries are one transaction: rows `Scheduled` or `Leased`
//! of unfinished campaigns become `Suppressed`, their tokens void, so that the next W2 of a leased one is refused. On
//! PostgreSQL the same update runs once more in a second transaction before the call returns, for rows that were
//! leased by a statement which had read before the first one committed. What must always hold: no final dot whose
//! W2 committed after the return, and no row in `Sending` is ever touched here. The quota of a stopped lease is not
//! given back here: only its lane knows whether an RCPT was written.

use crate::backend::{Named, read, tx};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::delivery::{DeliveryState, Detail, Role};
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::{DeliveryId, EmailAddress, ListId, SuppressionId, Timestamp};
use serde::Serialize;

sql! {
    each SUPPRESSIONS_ADD = "suppressions_add";
    both SUPPRESSION_REMOVE = "suppression_remove";
    both SUPPRESSIONS_OF = "suppressions_of";
    both SUPPRESSIONS_PAGE = "suppressions_page";
    each STOP_FIND_ALL = "stop_find_all";
    each STOP_FIND_LEFT = "stop_find_left";
    each STOP_WRITE = "stop_write";
}

/// Suppressions in one transaction; a W2 never waits longer than such a slice takes.
const SLICE: usize = 500;

/// A stored suppression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// Its number.
    pub id: SuppressionId,
    /// The keyed hash of the address.
    #[serde(skip)]
    pub address_hash: i64,
    /// The address, unless it was erased.
    pub address: Option<String>,
    /// Where it holds.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// Who or what said so.
    pub origin: String,
    /// When.
    pub at: Timestamp,
}

/// What a suppression changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Suppressed {
    /// New ones; the others stood already and keep their first reason.
    pub added: u64,
    /// Waiting deliveries that were stopped.
    pub stopped: u64,
}

/// One row of the batch that adds suppressions.
#[derive(Serialize)]
pub(crate) struct NewRow {
    #[serde(rename = "h")]
    pub hash: i64,
    #[serde(rename = "s")]
    pub scope: i64,
    #[serde(rename = "a")]
    pub address: Option<String>,
    #[serde(rename = "r")]
    pub reason: String,
    #[serde(rename = "o")]
    pub origin: String,
    #[serde(rename = "t")]
    pub at: i64,
}

/// The batch in the order in which rows are locked.
pub(crate) fn batch(rows: &[NewRow]) -> Result<String> {
    let mut rows: Vec<&NewRow> = rows.iter().collect();
    rows.sort_unstable_by_key(|r| (r.hash, r.scope));
    rows.dedup_by_key(|r| (r.hash, r.scope));
    crate::contacts::json("suppressions", &rows)
}

/// The name of a reason in the database: the one that serde writes.
pub(crate) fn reason_name(reason: SuppressionReason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}

/// Runs a transaction again when another one was in its way.
macro_rules! repeat_on_conflict {
    ($call:expr) => {{
        let mut tries = 0;
        loop {
            match $call.await {
                Err(error) if error.is_conflict() && tries < 5 => tries += 1,
                result => break result,
            }
        }
    }};
}
pub(crate) use repeat_on_conflict;

/// An open row as the finding statements return it: bucket, id, campaign, role, lane, state.
pub(crate) type OpenRow = (i64, i64, i64, i64, i64, i64);

/// Inside a `tx!` body: ends the open rows that `$find` returns for a JSON array of hashes; evaluates to their number.
macro_rules! stop_rows {
    ($c:expr, $e:expr, $find:expr, $hashes:expr, $detail:expr, $now:expr) => {{
        let open: Vec<$crate::suppressions::OpenRow> =
            sqlx::query_as($find.of($e)).bind($hashes).fetch_all(&mut *$c).await.named($find)?;
        if let Some((rows, deltas)) = $crate::suppressions::ends(&open)? {
            sqlx::query($crate::suppressions::STOP_WRITE.of($e))
                .bind(rows)
                .bind($detail.as_str())
                .bind($now.0)
                .execute(&mut *$c)
                .await
                .named(&$crate::suppressions::STOP_WRITE)?;
            $crate::counters::add_counters!($c, $e, deltas);
        }
        open.len() as u64
    }};
}
pub(crate) use stop_rows;

/// What [`stop_rows`] writes: the rows' keys as JSON and the moves of their counters.
pub(crate) fn ends(open: &[OpenRow]) -> Result<Option<(String, Vec<crate::counters::Delta>)>> {
    #[derive(Serialize)]
    struct Key {
        b: i64,
        i: i64,
    }
    if open.is_empty() {
        return Ok(None);
    }
    let mut deltas = Vec::with_capacity(open.len());
    for (bucket, id, campaign, role, lane, state) in open {
        let inconsistent = |column| Error::Inconsistent {
            table: "deliveries",
            column,
            id: DeliveryId { bucket: *bucket, id: *id }.to_string(),
        };
        deltas.push(crate::counters::Delta::moved(
            postroad_model::CampaignId(*campaign),
            Role::from_code(*role).ok_or_else(|| inconsistent("role"))?,
            postroad_model::RelayId(*lane),
            DeliveryState::from_code(*state).ok_or_else(|| inconsistent("state"))?,
            DeliveryState::Suppressed,
        ));
    }
    let keys: Vec<Key> = open.iter().map(|row| Key { b: row.0, i: row.1 }).collect();
    Ok(Some((crate::contacts::json("delivery numbers", &keys)?, deltas)))
}

impl Store {
    /// Suppresses an address and stops its waiting deliveries: no final dot follows whose intent became durable
    /// after this returned.
    ///
    /// # Errors
    /// `Json`, `Statement`, `Inconsistent`.
    pub async fn suppress(&self, new: &NewSuppression) -> Result<Suppressed> {
        self.suppress_many(std::slice::from_ref(new)).await
    }

    /// Like [`Store::suppress`] for many, in slices.
    ///
    /// # Errors
    /// As [`Store::suppress`]; slices before the failed one stand, and the call may be repeated.
    pub async fn suppress_many(&self, all: &[NewSuppression]) -> Result<Suppressed> {
        let mut sum = Suppressed::default();
        for slice in all.chunks(SLICE) {
            let rows: Vec<NewRow> = slice.iter().map(|new| self.new_row(new)).collect();
            let done = repeat_on_conflict!(self.suppress_slice(&rows))?;
            sum.added += done.added;
            sum.stopped += done.stopped;
            if self.engine() == crate::Engine::Postgres {
                sum.stopped += repeat_on_conflict!(self.suppress_slice(&rows))?.stopped;
            }
        }
        Ok(sum)
    }

    fn new_row(&self, new: &NewSuppression) -> NewRow {
        NewRow {
            hash: self.keys.address_hash(&new.address),
            scope: new.scope.as_i64(),
            // An erased address is kept as its hash alone.
            address: (new.reason != SuppressionReason::Erased).then(|| new.address.to_string()),
            reason: reason_name(new.reason),
            origin: new.origin.clone(),
            at: new.at.0,
        }
    }

    async fn suppress_slice(&self, rows: &[NewRow]) -> Result<Suppressed> {
        let adds = batch(rows)?;
        let hashes = |of_list: bool| {
            let some: Vec<i64> =
                rows.iter().filter(|r| (r.scope != 0) == of_list).map(|r| r.hash).collect();
            if some.is_empty() {
                Ok(None)
            } else {
                crate::contacts::json("address hashes", &some).map(Some)
            }
        };
        let (everywhere, on_lists) = (hashes(false)?, hashes(true)?);
        let now = Timestamp(rows.first().map_or(0, |r| r.at));
        tx!(self, |c, e| {
            let added: Vec<i64> = sqlx::query_scalar(SUPPRESSIONS_ADD.of(e))
                .bind(&adds)
                .fetch_all(&mut *c)
                .await
                .named(&SUPPRESSIONS_ADD)?;
            let mut stopped = 0;
            if let Some(hashes) = &everywhere {
                stopped += stop_rows!(c, e, &STOP_FIND_ALL, hashes, Detail::Suppressed, now);
            }
            if let Some(hashes) = &on_lists {
                stopped += stop_rows!(c, e, &STOP_FIND_LEFT, hashes, Detail::Suppressed, now);
            }
            Ok(Suppressed { added: added.len() as u64, stopped })
        })
    }

    /// Lifts a suppression by the operator's word. True when there was one. Deliveries that it ended stay ended.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn unsuppress(
        &self,
        address: &EmailAddress,
        scope: SuppressionScope,
    ) -> Result<bool> {
        let hash = self.keys.address_hash(address);
        let removed = tx!(self, |c, e| {
            let done = sqlx::query(SUPPRESSION_REMOVE.of(e)).bind(hash).bind(scope.as_i64());
            Ok(done.execute(&mut *c).await.named(&SUPPRESSION_REMOVE)?.rows_affected())
        })?;
        Ok(removed > 0)
    }

    /// All that stands against an address.
    ///
    /// # Errors
    /// `Statement`, `Inconsistent`.
    pub async fn suppressions_against(&self, address: &EmailAddress) -> Result<Vec<Suppression>> {
        let hash = self.keys.address_hash(address);
        let rows: Vec<SuppressionRow> = read!(self, |c, e| {
            sqlx::query_as(SUPPRESSIONS_OF.of(e))
                .bind(hash)
                .fetch_all(&mut *c)
                .await
                .named(&SUPPRESSIONS_OF)
        })?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// One page of all suppressions after the given number (start with `SuppressionId(0)`).
    ///
    /// # Errors
    /// `Statement`, `Inconsistent`.
    pub async fn suppressions(&self, after: SuppressionId, limit: u32) -> Result<Vec<Suppression>> {
        let rows: Vec<SuppressionRow> = read!(self, |c, e| {
            sqlx::query_as(SUPPRESSIONS_PAGE.of(e))
                .bind(after.0)
                .bind(i64::from(limit))
                .fetch_all(&mut *c)
                .await
                .named(&SUPPRESSIONS_PAGE)
        })?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

type SuppressionRow = (i64, i64, i64, Option<String>, String, String, i64);

impl TryFrom<SuppressionRow> for Suppression {
    type Error = Error;

    fn try_from((id, hash, scope, address, reason, origin, at): SuppressionRow) -> Result<Self> {
        let reason = serde_json::from_value(serde_json::Value::String(reason)).map_err(|_| {
            Error::Inconsistent { table: "suppressions", column: "reason", id: id.to_string() }
        })?;
        Ok(Self {
            id: SuppressionId(id),
            address_hash: hash,
            address,
            scope: if scope == 0 {
                SuppressionScope::All
            } else {
                SuppressionScope::List(ListId(scope))
            },
            reason,
            origin,
            at: Timestamp(at),
        })
    }
}
