//! The engine's core: decides and does no I/O.
//!
//! `step(now, inputs) -> (actions, next wake)`: inputs are what the drivers saw (leased and composed rows, events
//! of connections, durable writes), actions are what they are to do next. The tokio driver (`engine`) runs actions
//! as tasks, the simulation runs them on scripted relays in a seeded order. What must always hold: every row that
//! is leased leaves the core in exactly one settlement; an intent is asked for only at a 354, and a dot is told
//! only with its permit; a reservation is given back only when certainly no RCPT was written.

mod conns;
mod drive;
mod judge;
mod lane;
mod rows;

use crate::compose::{ComposeFailure, Composed};
use crate::pacer::Pacer;
use crate::permit::Permit;
use crate::retry::RetryPolicy;
use crate::wire::{Command, ConnId, Event};
use lane::Lane;
use postroad_model::delivery::Leased;
use postroad_model::relay::Relay;
use postroad_model::{
    CampaignId, DeliveryId, Epoch, LeaseToken, MailboxProvider, PoolId, RelayId, Timestamp,
};
use postroad_store::{Intent, LanePause, LeaseAnswer, LedgerAct, Settlement};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A lane's number inside one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneNo(pub usize);

/// What the core must know of a lane that was taken.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// The relay with its limits and rules.
    pub relay: Arc<Relay>,
    /// Its id.
    pub id: RelayId,
    /// The pools that it belongs to.
    pub pools: Vec<PoolId>,
    /// The lane's serial.
    pub epoch: Epoch,
    /// Until when the lane is ours.
    pub lease_until: Timestamp,
    /// When something may last have been on the wire.
    pub busy_at: Timestamp,
    /// A pause that the store knows of.
    pub pause: Option<LanePause>,
}

/// How the core decides where the configuration does not say it per relay.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Retries after deferrals.
    pub retry: RetryPolicy,
    /// A lane sends nothing in the last part of its lease.
    pub lease_margin: Duration,
    /// How long a lane with nothing to do waits before it looks again.
    pub poll: Duration,
    /// How far ahead of the wire a lane leases.
    pub ahead: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            lease_margin: Duration::from_secs(5),
            poll: Duration::from_millis(500),
            ahead: Duration::from_secs(5),
        }
    }
}

/// What the drivers report.
#[derive(Debug)]
pub enum Input {
    /// A connection's event.
    Wire(Event),
    /// W1 was done.
    Leased {
        /// For which lane.
        lane: LaneNo,
        /// The batch's token.
        token: LeaseToken,
        /// What it got.
        answer: LeaseAnswer,
    },
    /// W1 failed; the store may be away.
    LeaseFailed {
        /// For which lane.
        lane: LaneNo,
    },
    /// Rows were composed.
    Composed {
        /// For which lane.
        lane: LaneNo,
        /// Each with its message or why there is none.
        rows: Vec<(DeliveryId, Result<Composed, ComposeFailure>)>,
    },
    /// W2 is durable.
    Granted {
        /// The permit.
        permit: Permit,
        /// The row.
        id: DeliveryId,
    },
    /// W2 was refused: suppressed, paused, cancelled, or the lane is no longer ours.
    Refused {
        /// The row.
        id: DeliveryId,
        /// The lease that asked.
        token: LeaseToken,
    },
    /// The lane's lease was extended.
    Renewed {
        /// The lane.
        lane: LaneNo,
        /// Until when.
        lease_until: Timestamp,
    },
    /// Another node has the lane.
    Lost {
        /// The lane.
        lane: LaneNo,
    },
    /// The ledger marked the scope full, or had no limit to mark (`None`).
    MarkedFull {
        /// The scope.
        scope: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// The store's word on a lane's pause: set by the operator or ended.
    Pause {
        /// The lane.
        lane: LaneNo,
        /// Until when, if it is paused.
        until: Option<Timestamp>,
    },
    /// A campaign does not run now: rows of it that wait in memory go back.
    Stopped {
        /// The campaign.
        campaign: CampaignId,
    },
    /// New rows may be there: look at once.
    Nudge,
    /// Lease nothing more, finish what is on the wire.
    Drain,
    /// Limits or connection limits of a relay changed.
    Reload {
        /// The lane.
        lane: LaneNo,
        /// The relay as it is now.
        relay: Arc<Relay>,
    },
}

/// What the drivers do.
#[derive(Debug)]
pub enum Action {
    /// W1.
    Lease {
        /// For which lane.
        lane: LaneNo,
        /// How many rows at most.
        want: i64,
        /// Which turn at the queues.
        turn: u64,
    },
    /// Compose rows; on threads for CPU work.
    Compose {
        /// For which lane.
        lane: LaneNo,
        /// The rows.
        rows: Vec<Leased>,
    },
    /// Open a connection.
    Open {
        /// For which lane.
        lane: LaneNo,
        /// Its name from now on.
        conn: ConnId,
    },
    /// Tell a connection.
    Tell {
        /// Which.
        conn: ConnId,
        /// What.
        command: Command,
    },
    /// W2.
    Intend {
        /// What to write.
        intent: Intent,
        /// The permit ends here.
        expires_at: Timestamp,
    },
    /// W3.
    Settle(Settlement),
    /// Change the books.
    Ledger {
        /// Of which scope.
        scope: String,
        /// How.
        act: LedgerAct,
    },
    /// Pause a lane durably.
    PauseLane {
        /// Which relay.
        relay: RelayId,
        /// How.
        pause: LanePause,
    },
    /// Stop a relay for one mailbox provider.
    Brake {
        /// Which relay.
        relay: RelayId,
        /// Which provider.
        provider: MailboxProvider,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// A W2 was refused: find out which campaigns do not run.
    CheckCampaign(CampaignId),
}

/// The state of one node's engine.
pub struct Core {
    policy: Policy,
    lanes: Vec<Lane>,
    pacers: HashMap<String, Pacer>,
    /// Which lane a connection belongs to.
    conn_lane: HashMap<ConnId, LaneNo>,
    /// Rows whose connection is gone while W2 was asked for, with what to settle when its answer comes.
    orphans: BTreeMap<(DeliveryId, LeaseToken), lane::Orphan>,
    next_conn: u64,
    draining: bool,
    out: Vec<Action>,
}

impl Core {
    /// A core without lanes.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            lanes: Vec::new(),
            pacers: HashMap::new(),
            conn_lane: HashMap::new(),
            orphans: BTreeMap::new(),
            next_conn: 0,
            draining: false,
            out: Vec::new(),
        }
    }

    /// Adds a lane that this node has taken.
    pub fn add_lane(&mut self, settings: LaneSettings, now: Timestamp) -> LaneNo {
        let scope = settings.relay.limit_scope();
        let no = LaneNo(self.lanes.len());
        self.lanes.push(Lane::new(settings, scope.clone(), now));
        self.build_pacer(&scope, now);
        no
    }

    /// The pacer of a scope sees the limits and connections of all its lanes.
    fn build_pacer(&mut self, scope: &str, now: Timestamp) {
        let mine = || self.lanes.iter().filter(|l| l.scope == scope && !l.lost);
        let mut limits = Vec::new();
        for limit in mine().flat_map(|l| &l.settings.relay.limits) {
            if !limits.contains(limit) {
                limits.push(limit.clone());
            }
        }
        let connections = mine().map(|l| l.settings.relay.connections.max_connections).sum();
        let busy_at = mine().map(|l| l.settings.busy_at).max().unwrap_or(now);
        let in_flight = self.lanes.iter().filter(|l| l.scope == scope).map(Lane::in_flight).sum();
        let pacer = Pacer::new(&limits, connections, busy_at, now).behind(in_flight);
        self.pacers.insert(scope.into(), pacer);
    }

    /// Takes what happened and says what to do, and when to be called again at the latest.
    pub fn step(&mut self, now: Timestamp, inputs: Vec<Input>) -> (Vec<Action>, Timestamp) {
        for input in inputs {
            self.take(now, input);
        }
        let mut wake = now.plus(Duration::from_secs(60));
        for no in 0..self.lanes.len() {
            wake = wake.min(self.drive(now, LaneNo(no)));
        }
        (std::mem::take(&mut self.out), wake)
    }

    fn take(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Wire(event) => self.on_event(now, event),
            Input::Leased { lane, token, answer } => self.on_leased(now, lane, token, answer),
            Input::LeaseFailed { lane } => self.lanes[lane.0].lease_failed(now),
            Input::Composed { lane, rows } => self.on_composed(now, lane, rows),
            Input::Granted { permit, id } => self.on_granted(now, permit, id),
            Input::Refused { id, token } => self.on_refused(now, id, token),
            Input::Renewed { lane, lease_until } => {
                let lane = &mut self.lanes[lane.0];
                lane.settings.lease_until = lane.settings.lease_until.max(lease_until);
                // A lease that came too late to be served was told "lost", and nobody took the lane.
                lane.lost = false;
            }
            Input::Lost { lane } => self.lose(now, lane),
            Input::MarkedFull { scope, until } => self.on_marked_full(now, &scope, until),
            Input::Pause { lane, until } => self.on_pause(now, lane, until),
            Input::Stopped { campaign } => self.on_stopped(now, campaign),
            Input::Nudge => self.lanes.iter_mut().for_each(|l| l.nudge(now)),
            Input::Drain => self.drain(now),
            Input::Reload { lane, relay } => {
                let lane = &mut self.lanes[lane.0];
                lane.settings.busy_at = now;
                lane.settings.relay = relay;
                if let Wait::Quota(_) = lane.lease_wait.1 {
                    lane.lease_wait = (now, Wait::Working);
                }
                let scope = lane.scope.clone();
                self.build_pacer(&scope, now);
            }
        }
    }

    /// True when no connection is open and no row is in the core's hands.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.conn_lane.is_empty()
            && self.orphans.is_empty()
            && self.lanes.iter().all(Lane::is_empty)
    }

    /// What the connections are doing, by lane.
    #[must_use]
    pub fn connections(&self) -> Vec<(RelayId, Connections)> {
        self.lanes.iter().map(|l| (l.settings.id, l.connections())).collect()
    }

    /// Why and until when each lane waits, for `run --no-wait` and the status.
    #[must_use]
    pub fn waits(&self) -> Vec<(RelayId, Wait)> {
        self.lanes.iter().map(|l| (l.settings.id, l.wait())).collect()
    }
}

/// How many connections of a lane do what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connecting, encrypting, logging in.
    pub opening: usize,
    /// Open, without a message.
    pub idle: usize,
    /// With a message on it, or being closed.
    pub busy: usize,
}

/// Why a lane sends nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It works, or is about to.
    Working,
    /// Its quota is used up until then.
    Quota(Timestamp),
    /// It is paused until then.
    Paused(Timestamp),
    /// Nothing is due before then, as far as is known.
    NoRows(Option<Timestamp>),
    /// Another node has it.
    Lost,
}
