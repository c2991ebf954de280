//! Lanes: one relay's right to send, held by one node at a time under a lease with an epoch.
//!
//! Called by the engine's driver at start and at each heartbeat. What must always hold: a lane changes hands
//! only after its lease ran out on the database's time (or was given back), each change raises the epoch, and
//! all lanes of one limit scope are held by one node, because the pacer lives in that node's memory. Taking a
//! lane settles what its last holder left: Leased rows go back to Scheduled, Sending rows become Unknown.

use crate::backend::{Named, read, tx};
use crate::counters::{Delta, add_counters};
use crate::sql::sql;
use crate::{Result, Store};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, Epoch, NodeId, RelayId, Timestamp};

sql! {
    both LANE_INSERT = "lane_insert";
    each LANE_SCOPE = "lane_scope";
    both LANE_TAKE = "lane_take";
    both LANE_RENEW = "lane_renew";
    both LANE_RELEASE = "lane_release";
    both LANE_PAUSE = "lane_pause";
    both LANE_RESUME = "lane_resume";
    both LANES_ALL = "lanes_all";
    both LANE_OPEN_CAMPAIGNS = "lane_open_campaigns";
    both LANE_RECLAIM_LEASED = "lane_reclaim_leased";
    both LANE_RECLAIM_SENDING = "lane_reclaim_sending";
}

/// A lane's row.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct LaneRow {
    relay_id: i64,
    scope: String,
    node_id: i64,
    epoch: i64,
    lease_until: i64,
    busy_at: i64,
    paused_until: Option<i64>,
    pause_reason: Option<String>,
    pause_by: Option<String>,
    pause_count: i64,
}

/// A pause of a lane that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanePause {
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// `engine` or `operator`.
    pub by: String,
    /// How many pauses in a row: the engine doubles the next one.
    pub count: i64,
}

/// A lane as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The relay.
    pub relay: RelayId,
    /// Where its limits are counted.
    pub scope: String,
    /// Who holds it; may be stale.
    pub node: NodeId,
    /// Its serial.
    pub epoch: Epoch,
    /// Until when the holder may send.
    pub lease_until: Timestamp,
    /// When something may last have been on the wire.
    pub busy_at: Timestamp,
    /// Its pause, if it has one, also one that is over.
    pub pause: Option<LanePause>,
}

impl From<LaneRow> for Lane {
    fn from(row: LaneRow) -> Self {
        let pause = row.paused_until.map(|until| LanePause {
            until: Timestamp(until),
            reason: row.pause_reason.unwrap_or_default(),
            by: row.pause_by.unwrap_or_default(),
            count: row.pause_count,
        });
        Self {
            relay: RelayId(row.relay_id),
            scope: row.scope,
            node: NodeId(row.node_id),
            epoch: Epoch(row.epoch),
            lease_until: Timestamp(row.lease_until),
            busy_at: Timestamp(row.busy_at),
            pause,
        }
    }
}

/// What taking a lane settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Rows that went back to Scheduled.
    pub leased: u64,
    /// Rows whose final answer is lost.
    pub sending: u64,
}

/// When a lane of another node may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// After its lease ran out.
    WhenLapsed,
    /// At once: the engine lock of a SQLite file proves that no other engine lives.
    Now,
}

/// Settles what the last holder of a lane left behind, inside a `tx!` body.
macro_rules! reclaim {
    ($c:expr, $e:expr, $lane:expr, $now:expr) => {{
        let mut reclaimed = Reclaimed::default();
        let open: Vec<i64> = sqlx::query_scalar(LANE_OPEN_CAMPAIGNS.of($e))
            .bind($lane.relay.0)
            .fetch_all(&mut *$c)
            .await
            .named(&LANE_OPEN_CAMPAIGNS)?;
        for campaign in open {
            let mut deltas = Vec::new();
            for (statement, from) in [
                (LANE_RECLAIM_LEASED, DeliveryState::Leased),
                (LANE_RECLAIM_SENDING, DeliveryState::Sending),
            ] {
                let moved: Vec<(i64, i64)> = sqlx::query_as(statement.of($e))
                    .bind(campaign)
                    .bind($lane.relay.0)
                    .bind($lane.epoch.0)
                    .bind($now.0)
                    .fetch_all(&mut *$c)
                    .await
                    .named(&statement)?;
                match from {
                    DeliveryState::Leased => reclaimed.leased += moved.len() as u64,
                    _ => reclaimed.sending += moved.len() as u64,
                }
                deltas.extend(moved.into_iter().filter_map(|(role, state)| {
                    let (role, to) = (Role::from_code(role)?, DeliveryState::from_code(state)?);
                    Some(Delta::moved(CampaignId(campaign), role, $lane.relay, from, to))
                }));
            }
            add_counters!($c, $e, deltas);
        }
        reclaimed
    }};
}

impl Store {
    /// Takes the lanes of one limit scope for a node, if no other node holds any of them. Lanes that the node
    /// holds already get a new epoch too: a start never trusts what an earlier process of the same name did.
    /// `None`: another node holds one. `times` is (now, end of the new lease).
    ///
    /// # Errors
    /// The database's.
    pub async fn take_lanes(
        &self,
        node: NodeId,
        scope: &str,
        relays: &[RelayId],
        times: (Timestamp, Timestamp),
        takeover: Takeover,
    ) -> Result<Option<Vec<(Lane, Reclaimed)>>> {
        let (now, lease_until) = times;
        tx!(self, |c, e| {
            for relay in relays {
                sqlx::query(LANE_INSERT.of(e))
                    .bind(relay.0)
                    .bind(scope)
                    .execute(&mut *c)
                    .await
                    .named(&LANE_INSERT)?;
            }
            let ids = serde_json::json!(relays).to_string();
            let rows: Vec<LaneRow> = sqlx::query_as(LANE_SCOPE.of(e))
                .bind(scope)
                .bind(&ids)
                .fetch_all(&mut *c)
                .await
                .named(&LANE_SCOPE)?;
            let held = |r: &LaneRow| r.node_id != node.0 && r.lease_until > now.0;
            if takeover == Takeover::WhenLapsed && rows.iter().any(held) {
                return Ok(None);
            }
            let mut taken = Vec::with_capacity(relays.len());
            for relay in relays {
                let row: LaneRow = sqlx::query_as(LANE_TAKE.of(e))
                    .bind(relay.0)
                    .bind(node.0)
                    .bind(lease_until.0)
                    .bind(scope)
                    .fetch_one(&mut *c)
                    .await
                    .named(&LANE_TAKE)?;
                let mut lane = Lane::from(row);
                // A holder that did not give it back may have sent until its lease ran out, or until now.
                let before =
                    rows.iter().find(|r| r.relay_id == relay.0).map_or(0, |r| r.lease_until);
                lane.busy_at = lane.busy_at.max(Timestamp(before.min(now.0)));
                let reclaimed = reclaim!(c, e, lane, now);
                taken.push((lane, reclaimed));
            }
            Ok(Some(taken))
        })
    }

    /// Extends the leases of a node's lanes and notes that they are in use. Gives the relays whose lane this
    /// node no longer holds in that epoch.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew_lanes(
        &self,
        node: NodeId,
        lanes: &[(RelayId, Epoch)],
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<RelayId>> {
        tx!(self, |c, e| {
            let mut lost = Vec::new();
            for (relay, epoch) in lanes {
                let done = sqlx::query(LANE_RENEW.of(e))
                    .bind(relay.0)
                    .bind(node.0)
                    .bind(epoch.0)
                    .bind(lease_until.0)
                    .bind(now.0)
                    .execute(&mut *c)
                    .await
                    .named(&LANE_RENEW)?;
                if done.rows_affected() == 0 {
                    lost.push(*relay);
                }
            }
            Ok(lost)
        })
    }

    /// Makes a lane's row where no engine has taken it yet, so that the operator can pause it beforehand.
    ///
    /// # Errors
    /// The database's.
    pub async fn ensure_lane(&self, relay: RelayId, scope: &str) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(LANE_INSERT.of(e))
                .bind(relay.0)
                .bind(scope)
                .execute(&mut *c)
                .await
                .named(&LANE_INSERT)
                .map(drop)
        })
    }

    /// Gives lanes back so that another node can take them at once.
    ///
    /// # Errors
    /// The database's.
    pub async fn release_lanes(
        &self,
        node: NodeId,
        lanes: &[(RelayId, Epoch)],
        now: Timestamp,
    ) -> Result<()> {
        tx!(self, |c, e| {
            for (relay, epoch) in lanes {
                sqlx::query(LANE_RELEASE.of(e))
                    .bind(relay.0)
                    .bind(node.0)
                    .bind(epoch.0)
                    .bind(now.0)
                    .execute(&mut *c)
                    .await
                    .named(&LANE_RELEASE)?;
            }
            Ok(())
        })
    }

    /// Pauses a lane; `count` is kept so that the next pause of the same trouble is longer.
    ///
    /// # Errors
    /// The database's.
    pub async fn pause_lane(&self, relay: RelayId, pause: &LanePause) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(LANE_PAUSE.of(e))
                .bind(relay.0)
                .bind(pause.until.0)
                .bind(&pause.reason)
                .bind(&pause.by)
                .bind(pause.count)
                .execute(&mut *c)
                .await
                .named(&LANE_PAUSE)
                .map(drop)
        })
    }

    /// Ends a lane's pause.
    ///
    /// # Errors
    /// The database's.
    pub async fn resume_lane(&self, relay: RelayId) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(LANE_RESUME.of(e))
                .bind(relay.0)
                .execute(&mut *c)
                .await
                .named(&LANE_RESUME)
                .map(drop)
        })
    }

    /// All lanes, for reports and for an engine that looks for pauses set by the operator.
    ///
    /// # Errors
    /// The database's.
    pub async fn lanes(&self) -> Result<Vec<Lane>> {
        read!(self, |c, e| {
            let rows: Vec<LaneRow> =
                sqlx::query_as(LANES_ALL.of(e)).fetch_all(&mut *c).await.named(&LANES_ALL)?;
            Ok(rows.into_iter().map(Lane::from).collect())
        })
    }
}
