//! The engine's main task: feeds the core and carries out its actions.
//!
//! See `engine` for the picture. Everything that the core is told passes here in the order in which it came, so that
//! a lane is added before its first lease and a connection's events are never overtaken.

use crate::chores::{self, Chore};
use crate::committer::{self, Write};
use crate::compose::ComposeFailure;
use crate::connection::{self, Line};
use crate::core::{Action, Core, Input, LaneNo};
use crate::dial::{Dial, DialFault, DialWhat, resolve};
use crate::engine::{EngineSettings, Parts, Served, Snapshot};
use crate::keeper::{self, Held, Taken};
use crate::wire::{Command, ConnId, Event};
use postroad_model::delivery::Leased;
use postroad_model::rank::mix;
use postroad_model::reply::Phase;
use postroad_model::{Clock, Epoch, LeaseToken, RelayId};
use postroad_store::{Brake, LeaseRequest};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

/// Rows that one blocking task composes: long enough to be worth the hop, short enough to spread.
const COMPOSE_CHUNK: usize = 16;

pub(crate) struct Driver {
    settings: EngineSettings,
    parts: Parts,
    inputs: mpsc::UnboundedSender<Input>,
    lane_nos: Arc<Mutex<BTreeMap<RelayId, LaneNo>>>,
    lanes: Vec<(Served, Epoch)>,
    held: Held,
    conns: HashMap<ConnId, mpsc::Sender<Command>>,
    events: mpsc::UnboundedSender<Vec<Event>>,
    writes: mpsc::Sender<Write>,
    chores: mpsc::UnboundedSender<Chore>,
    compose_room: Arc<Semaphore>,
    tokens: u64,
    turn_addresses: usize,
}

/// The tasks beside the core, and what they bring.
struct Tasks {
    told: mpsc::UnboundedReceiver<Vec<Event>>,
    new_lanes: mpsc::UnboundedReceiver<Taken>,
    commit: JoinHandle<()>,
    chores: JoinHandle<()>,
    keep: JoinHandle<()>,
}

impl Driver {
    pub(crate) async fn run(
        settings: EngineSettings,
        parts: Parts,
        inputs: mpsc::UnboundedSender<Input>,
        mut received: mpsc::UnboundedReceiver<Input>,
        lane_nos: Arc<Mutex<BTreeMap<RelayId, LaneNo>>>,
        snapshot: watch::Sender<Snapshot>,
    ) {
        let mut core = Core::new(settings.policy);
        let (mut driver, mut tasks) = Self::begin(settings, parts, inputs, lane_nos);
        let mut draining = false;
        let mut wake = Duration::ZERO;
        let mut batch: Vec<Input> = Vec::new();
        let mut happened: Vec<Vec<Event>> = Vec::new();
        while !(draining && core.is_idle()) {
            tokio::select! {
                biased;
                _ = tasks.told.recv_many(&mut happened, 256) => {}
                _ = received.recv_many(&mut batch, 1_024) => {}
                lane = tasks.new_lanes.recv() => if let Some(lane) = lane { driver.add_lane(&mut core, lane) },
                () = tokio::time::sleep(wake) => {}
            }
            // What came meanwhile is taken along: one step for all.
            while let Ok(input) = received.try_recv() {
                batch.push(input);
            }
            while let Ok(events) = tasks.told.try_recv() {
                happened.push(events);
            }
            draining |= batch.iter().any(|i| matches!(i, Input::Drain));
            let now = driver.parts.clock.now();
            let inputs: Vec<Input> =
                happened.drain(..).flatten().map(Input::Wire).chain(batch.drain(..)).collect();
            driver.forget_ended(&inputs);
            let (actions, next) = core.step(now, inputs);
            for action in actions {
                driver.act(action).await;
            }
            wake = now.until(next);
            let seen = Snapshot { waits: core.waits(), connections: core.connections() };
            snapshot.send_if_modified(|last| {
                let changed = *last != seen;
                *last = seen;
                changed
            });
        }
        tasks.keep.abort();
        driver.end([tasks.commit, tasks.chores]).await;
    }

    /// Starts the tasks beside the core.
    fn begin(
        settings: EngineSettings,
        parts: Parts,
        inputs: mpsc::UnboundedSender<Input>,
        lane_nos: Arc<Mutex<BTreeMap<RelayId, LaneNo>>>,
    ) -> (Self, Tasks) {
        let (events, told) = mpsc::unbounded_channel();
        let (writes, asked) = mpsc::channel(4_096);
        let (chores, to_do) = mpsc::unbounded_channel();
        let (taken, new_lanes) = mpsc::unbounded_channel();
        let held = Held::default();
        let (store, clock) = (parts.store.clone(), parts.clock.clone());
        let observe = parts.observe.clone();
        let commit = committer::run(store.clone(), clock.clone(), observe, asked, inputs.clone());
        let to_do = chores::run(store, clock, to_do, inputs.clone());
        let keep =
            keeper::run(settings.clone(), parts.clone(), held.clone(), taken, inputs.clone());
        let tasks = Tasks {
            told,
            new_lanes,
            commit: tokio::spawn(commit),
            chores: tokio::spawn(to_do),
            keep: tokio::spawn(keep),
        };
        let compose_room = Arc::new(Semaphore::new(settings.compose_threads.max(1)));
        let tokens = settings.seed;
        let driver = Self {
            settings,
            parts,
            inputs,
            lane_nos,
            lanes: Vec::new(),
            held,
            conns: HashMap::new(),
            events,
            writes,
            chores,
            compose_room,
            tokens,
            turn_addresses: 0,
        };
        (driver, tasks)
    }

    /// Waits until all is written, then gives the lanes back.
    async fn end(self, writers: [JoinHandle<()>; 2]) {
        let Self { parts, settings, writes, chores, held, .. } = self;
        drop(writes);
        drop(chores);
        for task in writers {
            if let Err(error) = task.await {
                tracing::error!(%error, "a writer ended with a fault");
            }
        }
        let lanes = held.lanes();
        if let Err(error) =
            parts.store.release_lanes(settings.node, &lanes, parts.clock.now()).await
        {
            tracing::warn!(%error, "lanes are given back when their lease ends");
        }
    }

    fn add_lane(&mut self, core: &mut Core, taken: Taken) {
        let Taken { served, settings } = taken;
        let epoch = settings.epoch;
        let id = settings.id;
        let no = core.add_lane(settings, self.parts.clock.now());
        self.held.add(id, epoch, no);
        self.lanes.push((served, epoch));
        self.lane_nos.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id, no);
    }

    fn forget_ended(&mut self, inputs: &[Input]) {
        for input in inputs {
            if let Input::Wire(
                Event::OpenFailed { conn, .. }
                | Event::Broken { conn, .. }
                | Event::Closed { conn, .. },
            ) = input
            {
                self.conns.remove(conn);
            }
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Lease { lane, want, turn } => self.lease(lane, want, turn),
            Action::Compose { lane, rows } => self.compose(lane, rows),
            Action::Open { lane, conn } => self.open(lane, conn),
            Action::Tell { conn, command } => {
                if let Some(commands) = self.conns.get(&conn)
                    && let Err(error) = commands.try_send(command)
                {
                    // The task has ended and its last event is on its way, or it is about to.
                    tracing::debug!(%conn, %error, "a command found no connection");
                }
            }
            Action::Intend { intent, expires_at } => {
                self.write(Write::Intend(intent, expires_at)).await;
            }
            Action::Settle(settlement) => self.write(Write::Settle(settlement)).await,
            Action::Ledger { scope, act } => self.chore(Chore::Ledger(scope, act)),
            Action::PauseLane { relay, pause } => {
                tracing::warn!(relay = relay.0, until = %pause.until, reason = %pause.reason, "a lane pauses");
                self.chore(Chore::Pause(relay, pause));
            }
            Action::Brake { relay, provider, until, reason } => {
                tracing::warn!(relay = relay.0, %provider, %until, %reason, "a brake is set");
                let by = "delivery".to_owned();
                let brake =
                    Brake { relay: Some(relay), provider: Some(provider), until, reason, by };
                self.chore(Chore::Brake(brake));
            }
            Action::CheckCampaign(campaign) => self.chore(Chore::Campaign(campaign)),
        }
    }

    async fn write(&self, write: Write) {
        if self.writes.send(write).await.is_err() {
            tracing::error!(
                "the committer has ended: a row is settled when its lane is taken anew"
            );
        }
    }

    fn chore(&self, chore: Chore) {
        if self.chores.send(chore).is_err() {
            tracing::error!("the chores have ended");
        }
    }

    fn token(&mut self) -> LeaseToken {
        self.tokens = self.tokens.wrapping_add(0x9E37_79B9_7F4A_7C15);
        // Zero means "no token" in the rows.
        LeaseToken((mix(self.tokens) | 1).cast_signed())
    }

    fn lease(&mut self, lane: LaneNo, want: i64, turn: u64) {
        let token = self.token();
        let (served, epoch) = &self.lanes[lane.0];
        let request = LeaseRequest {
            node: self.settings.node,
            relay: served.id,
            epoch: *epoch,
            scope: served.relay.limit_scope(),
            pools: served.pools.clone(),
            token,
            want,
            which: self.settings.which,
            turn,
        };
        let (store, clock, inputs) =
            (self.parts.store.clone(), self.parts.clock.clone(), self.inputs.clone());
        tokio::spawn(async move {
            let input = match store.lease(&request, clock.now()).await {
                Ok(answer) => Input::Leased { lane, token, answer },
                Err(error) => {
                    tracing::warn!(%error, "a lease failed");
                    Input::LeaseFailed { lane }
                }
            };
            // The engine may have ended meanwhile: the rows go back when the lane is taken anew.
            let _ = inputs.send(input);
        });
    }

    fn compose(&self, lane: LaneNo, rows: Vec<Leased>) {
        let relay = self.lanes[lane.0].0.relay.clone();
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Leased> = rows.by_ref().take(COMPOSE_CHUNK).collect();
            let (compose, clock, inputs) =
                (self.parts.compose.clone(), self.parts.clock.clone(), self.inputs.clone());
            let (room, relay) = (self.compose_room.clone(), relay.clone());
            tokio::spawn(async move {
                let Ok(place) = room.acquire_owned().await else { return };
                let ids: Vec<_> = chunk.iter().map(|r| r.id).collect();
                let done = tokio::task::spawn_blocking(move || {
                    let _place = place;
                    let now = clock.now();
                    chunk.iter().map(|row| (row.id, compose.compose(row, &relay, now))).collect()
                });
                let rows = done.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "composing ended with a fault");
                    let later =
                        || Err(ComposeFailure::Later("composing ended with a fault".into()));
                    ids.into_iter().map(|id| (id, later())).collect()
                });
                let _ = inputs.send(Input::Composed { lane, rows });
            });
        }
    }

    fn open(&mut self, lane: LaneNo, conn: ConnId) {
        let served = self.lanes[lane.0].0.clone();
        // One command per event and QUIT.
        let (commands, told) = mpsc::channel(8);
        self.conns.insert(conn, commands);
        let line = Line {
            conn,
            commands: told,
            events: self.events.clone(),
            clock: self.parts.clock.clone(),
        };
        self.turn_addresses += 1;
        let turn = self.turn_addresses;
        let (login, timeouts, local) =
            (self.parts.login.clone(), self.settings.timeouts, self.settings.local.clone());
        tokio::spawn(async move {
            match prepare(&served, login, timeouts, local, turn).await {
                Ok(dial) => connection::open(dial, line).await,
                Err(fault) => {
                    let event = Event::OpenFailed { conn, at: line.clock.now(), fault };
                    let _ = line.events.send(vec![event]);
                }
            }
        });
    }
}

async fn prepare(
    served: &Served,
    login: crate::engine::Login,
    timeouts: connection::timeouts::Timeouts,
    local: crate::dial::Local,
    turn: usize,
) -> Result<Dial, Box<DialFault>> {
    let relay = served.relay.clone();
    let credentials = login(relay.clone()).await.map_err(|text| {
        Box::new(DialFault {
            host: relay.endpoint.host.clone(),
            port: relay.endpoint.port,
            address: None,
            phase: Phase::Auth,
            what: DialWhat::Unsupported(text),
        })
    })?;
    let mut addresses = resolve(&relay.endpoint, &timeouts).await?;
    let len = addresses.len().max(1);
    addresses.rotate_left(turn % len);
    Ok(Dial { relay, addresses, credentials, tls: served.tls.clone(), timeouts, local })
}
