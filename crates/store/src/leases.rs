//! W1, the lease: a lane takes a small batch of rows, and the quota for them, in one transaction.
//!
//! Called by the engine's driver. Order of locks: limits, lane, deliveries. After the rows are locked a later
//! statement reads again what could have changed: suppressions, subscriptions, the campaign, the contact, the
//! brakes. Rows that this refuses are settled at once and reserve nothing. What must always hold: no row is
//! leased without its reservation in every ledger limit of the scope, and no row by a lane whose epoch is stale.

use crate::backend::{Named, many, tx};
use crate::counters::{Delta, add_counters};
use crate::lease_words::{Idle, LeaseAnswer, LeaseRequest, ServeWhich};
use crate::ledger::{LimitBook, Reserved, lock_limits, save_books};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::delivery::{Bound, ContactFields, DeliveryState, Detail, Leased, Role};
use postroad_model::{
    CampaignId, ContactId, DeliveryId, EmailAddress, MailboxProvider, PoolId, RelayId, Timestamp,
};
use serde::{Deserialize, Serialize};

sql! {
    each LEASE_LANE = "lease_lane";
    both LEASE_BRAKES = "lease_brakes";
    each LEASE_PINNED = "lease_pinned";
    each LEASE_DUE = "lease_due";
    both LEASE_QUEUES = "lease_queues";
    each LEASE_FRESH = "lease_fresh";
    both LEASE_QUEUE_EMPTY = "lease_queue_empty";
    each LEASE_READ = "lease_read";
    each LEASE_WRITE = "lease_write";
    both LEASE_NEXT = "lease_next";
}

/// A lane takes at most this many rows at once.
pub const MAX_BATCH: i64 = 500;

#[derive(Debug, sqlx::FromRow, Deserialize)]
struct Candidate {
    bucket: i64,
    id: i64,
}

#[derive(Debug, sqlx::FromRow)]
struct LaneCheck {
    lease_until: i64,
    paused_until: Option<i64>,
}

/// In the order of the statement's columns, which on SQLite are an array without names.
#[derive(Debug, sqlx::FromRow, Deserialize)]
struct Row {
    bucket: i64,
    id: i64,
    campaign_id: i64,
    role: i64,
    contact_id: Option<i64>,
    address: Option<String>,
    provider: i64,
    rank: i64,
    attempt: i64,
    tries: i64,
    blocks: i64,
    copy_no: i64,
    first_leased_at: Option<i64>,
    bound_relay: Option<i64>,
    mail_from: Option<String>,
    bound_date: Option<i64>,
    content_hash: Option<i64>,
    runs: i64,
    cancelled: i64,
    expired: i64,
    suppressed: i64,
    subscribed: i64,
    name: Option<String>,
    attributes: Option<String>,
}

/// One line of the batch that writes the verdicts.
#[derive(Serialize)]
struct Write {
    b: i64,
    i: i64,
    s: i64,
    d: Option<&'static str>,
}

enum Verdict {
    Lease(Box<Leased>),
    Settle(DeliveryState, Option<Detail>),
    Leave,
}

impl Row {
    fn judge(&self, now: Timestamp) -> Result<Verdict> {
        let bad = |column| Error::Inconsistent {
            table: "deliveries",
            column,
            id: format!("{}-{}", self.bucket, self.id),
        };
        let role = Role::from_code(self.role).ok_or_else(|| bad("role"))?;
        if self.cancelled == 1 {
            return Ok(Verdict::Settle(DeliveryState::Cancelled, None));
        }
        if self.expired == 1 {
            return Ok(Verdict::Settle(DeliveryState::Expired, None));
        }
        if self.runs == 0 {
            return Ok(Verdict::Leave);
        }
        if role == Role::Audience {
            if self.suppressed == 1 {
                return Ok(Verdict::Settle(DeliveryState::Suppressed, Some(Detail::Suppressed)));
            }
            if self.attributes.is_none() {
                return Ok(Verdict::Settle(DeliveryState::Suppressed, Some(Detail::Erased)));
            }
            if self.subscribed == 0 {
                return Ok(Verdict::Settle(DeliveryState::Suppressed, Some(Detail::Unsubscribed)));
            }
        }
        let Some(address) = &self.address else {
            return Ok(Verdict::Settle(DeliveryState::Suppressed, Some(Detail::Erased)));
        };
        let bound = match (self.bound_relay, &self.mail_from, self.bound_date) {
            (Some(relay), Some(mail_from), Some(date)) => Some(Bound {
                relay: RelayId(relay),
                mail_from: mail_from.clone(),
                date: Timestamp(date),
                content_hash: self.content_hash,
            }),
            (_, _, _) => None,
        };
        let attributes = match self.attributes.as_deref() {
            None | Some("{}") => serde_json::Map::new(),
            Some(text) => serde_json::from_str(text).map_err(|_| bad("attributes"))?,
        };
        Ok(Verdict::Lease(Box::new(Leased {
            id: DeliveryId { bucket: self.bucket, id: self.id },
            campaign: CampaignId(self.campaign_id),
            contact: self.contact_id.map(ContactId),
            address: EmailAddress::parse(address).map_err(|_| bad("address"))?,
            role,
            provider: MailboxProvider::from_code(self.provider).ok_or_else(|| bad("provider"))?,
            rank: self.rank,
            attempt: self.attempt + 1,
            tries: self.tries,
            blocks: self.blocks,
            copy_no: self.copy_no,
            bound,
            fields: ContactFields { name: self.name.clone(), attributes },
            first_leased_at: self.first_leased_at.map_or(now, Timestamp),
        })))
    }
}

/// What the books allow a batch: rows, when they free, whether it is a probe.
struct Allowed {
    rows: i64,
    frees_at: Option<Timestamp>,
    probe: bool,
    /// The end of a sub-window that is too near to send anything before it.
    closed_until: Option<Timestamp>,
}

fn allowed(books: &mut [LimitBook], want: i64, now: Timestamp) -> Result<Allowed> {
    let mut out =
        Allowed { rows: want.min(MAX_BATCH), frees_at: None, probe: false, closed_until: None };
    for entry in books.iter_mut() {
        let free = entry.book.free(&entry.limit, now).map_err(|x| entry.failed(x))?;
        let share = (entry.limit.amount / 50).max(1);
        out.rows = out.rows.min(free.amount).min(share);
        out.probe |= free.probe && free.amount > 0;
        out.frees_at = out.frees_at.max(free.frees_at);
        out.closed_until = out.closed_until.max(entry.book.closed_until(&entry.limit, now));
    }
    Ok(out)
}

fn reserve(
    books: &mut [LimitBook],
    now: Timestamp,
    n: i64,
) -> Result<(Vec<Reserved>, Option<Timestamp>)> {
    let mut reserved = Vec::with_capacity(books.len());
    let mut use_by: Option<Timestamp> = None;
    for entry in books.iter_mut() {
        let reservation = entry.book.reserve(&entry.limit, now, n).map_err(|x| entry.failed(x))?;
        use_by = Some(use_by.map_or(reservation.use_by, |u| u.min(reservation.use_by)));
        reserved.push(Reserved { limit: entry.id, reservation });
    }
    Ok((reserved, use_by))
}

fn idle(reason: Idle) -> LeaseAnswer {
    LeaseAnswer {
        rows: Vec::new(),
        reserved: Vec::new(),
        use_by: None,
        probe: false,
        settled: 0,
        idle: reason,
    }
}

/// Collects candidate rows for a lease inside a `tx!` body: tests and pinned rows, then due ones, then the fresh
/// queues in turn.
macro_rules! candidates {
    ($c:expr, $e:expr, $q:expr, $now:expr, $limit:expr) => {{
        let only = match $q.which {
            ServeWhich::All => 0,
            ServeWhich::Only(id) => id.0,
        };
        let mut found: Vec<Candidate> =
            many!($c, $e, LEASE_PINNED, [$q.relay.0, $now.0, $limit, only]);
        let braked: Vec<i64> = sqlx::query_scalar(LEASE_BRAKES.of($e))
            .bind($q.relay.0)
            .bind($now.0)
            .fetch_all(&mut *$c)
            .await
            .named(&LEASE_BRAKES)?;
        let every = braked.contains(&-1);
        let braked_json = serde_json::json!(braked).to_string();
        for pool in &$q.pools {
            let left = $limit - found.len() as i64;
            if left <= 0 || every {
                break;
            }
            let due: Vec<Candidate> =
                many!($c, $e, LEASE_DUE, [pool.0, $now.0, left, only, &braked_json]);
            found.extend(due);
        }
        if !every && (found.len() as i64) < $limit {
            let queues: Vec<(i64, i64, i64)> = sqlx::query_as(LEASE_QUEUES.of($e))
                .bind($now.0)
                .bind(only)
                .fetch_all(&mut *$c)
                .await
                .named(&LEASE_QUEUES)?;
            let open: Vec<_> = queues
                .into_iter()
                .filter(|(_, pool, provider)| {
                    $q.pools.contains(&PoolId(*pool)) && !braked.contains(provider)
                })
                .collect();
            let mut waiting = open.len();
            let start = if open.is_empty() { 0 } else { ($q.turn % open.len() as u64) as usize };
            for k in 0..open.len() {
                let left = $limit - found.len() as i64;
                if left <= 0 {
                    break;
                }
                let (campaign, pool, provider) = open[(start + k) % open.len()];
                // A fair part of what is left, so that each queue moves; the last one takes the rest.
                let part = (left + waiting as i64 - 1) / waiting as i64;
                waiting -= 1;
                let fresh: Vec<Candidate> =
                    many!($c, $e, LEASE_FRESH, [campaign, pool, provider, part]);
                if fresh.is_empty() {
                    sqlx::query(LEASE_QUEUE_EMPTY.of($e))
                        .bind(campaign)
                        .bind(pool)
                        .bind(provider)
                        .execute(&mut *$c)
                        .await
                        .named(&LEASE_QUEUE_EMPTY)?;
                }
                found.extend(fresh);
            }
        }
        found
    }};
}

/// Reads the candidates again, judges them, and writes the verdicts, inside a `tx!` body.
macro_rules! lease_rows {
    ($c:expr, $e:expr, $q:expr, $now:expr, $found:expr) => {{
        let ids: Vec<_> = $found.iter().map(|r| serde_json::json!({"b": r.bucket, "i": r.id})).collect();
        let ids = serde_json::Value::Array(ids).to_string();
        let read: Vec<Row> = many!($c, $e, LEASE_READ, [&ids, $now.0]);
        let (mut rows, mut writes, mut deltas, mut settled) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for row in &read {
            let role = Role::from_code(row.role).unwrap_or(Role::Audience);
            let moved = |to| {
                Delta::moved(CampaignId(row.campaign_id), role, $q.relay, DeliveryState::Scheduled, to)
            };
            match row.judge($now)? {
                Verdict::Lease(leased) => {
                    writes.push(Write { b: row.bucket, i: row.id, s: DeliveryState::Leased.code(), d: None });
                    deltas.push(moved(DeliveryState::Leased));
                    rows.push(*leased);
                }
                Verdict::Settle(state, detail) => {
                    settled += 1;
                    let d = detail.map(Detail::as_str);
                    writes.push(Write { b: row.bucket, i: row.id, s: state.code(), d });
                    deltas.push(moved(state));
                }
                Verdict::Leave => {}
            }
        }
        // Limits were locked first; delivery rows are written in id order.
        writes.sort_unstable_by_key(|w| (w.b, w.i));
        if !writes.is_empty() {
            let batch = serde_json::to_string(&writes)
                .map_err(|source| Error::Json { what: "a lease", source })?;
            sqlx::query(LEASE_WRITE.of($e))
                .bind(batch)
                .bind($q.token.0)
                .bind($q.relay.0)
                .bind($q.epoch.0)
                .bind($now.0)
                .execute(&mut *$c)
                .await
                .named(&LEASE_WRITE)?;
            add_counters!($c, $e, deltas);
        }
        rows.sort_by_key(|r: &Leased| (r.role != Role::Test, r.first_leased_at == $now, r.rank));
        (rows, settled)
    }};
}

impl Store {
    /// W1: leases up to `want` rows for a lane and reserves the quota for them.
    ///
    /// # Errors
    /// The database's; `Limit` when a limit cannot be kept.
    pub async fn lease(&self, q: &LeaseRequest, now: Timestamp) -> Result<LeaseAnswer> {
        tx!(self, |c, e| {
            let mut books = lock_limits!(c, e, &q.scope);
            let lane: Option<LaneCheck> = sqlx::query_as(LEASE_LANE.of(e))
                .bind(q.relay.0)
                .bind(q.node.0)
                .bind(q.epoch.0)
                .fetch_optional(&mut *c)
                .await
                .named(&LEASE_LANE)?;
            let Some(lane) = lane.filter(|l| l.lease_until > now.0) else {
                return Ok(idle(Idle::Lost));
            };
            if let Some(until) = lane.paused_until.filter(|t| *t > now.0) {
                return Ok(idle(Idle::Paused { until: Timestamp(until) }));
            }
            let allowed = allowed(&mut books, q.want, now)?;
            if allowed.rows <= 0 {
                let until = allowed.frees_at.unwrap_or(now.plus_ms(1_000));
                return Ok(idle(Idle::Quota { until }));
            }
            if allowed.closed_until.is_some() {
                return Ok(idle(Idle::NoRows { next: allowed.closed_until }));
            }
            let found: Vec<Candidate> = candidates!(c, e, q, now, allowed.rows);
            let (rows, settled) = lease_rows!(c, e, q, now, found);
            let n = rows.len() as i64;
            let (mut reserved, mut use_by) = (Vec::new(), None);
            if n > 0 {
                (reserved, use_by) = reserve(&mut books, now, n)?;
                save_books!(c, e, &books);
            }
            let reason = if found.is_empty() {
                let next: Option<i64> = sqlx::query_scalar(LEASE_NEXT.of(e))
                    .bind(q.relay.0)
                    .bind(now.0)
                    .fetch_one(&mut *c)
                    .await
                    .named(&LEASE_NEXT)?;
                Idle::NoRows { next: next.map(Timestamp) }
            } else {
                Idle::No
            };
            Ok(LeaseAnswer { rows, reserved, use_by, probe: allowed.probe, settled, idle: reason })
        })
    }
}
