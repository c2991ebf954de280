//! The simulation's driver: one thread, one clock that jumps, and a queue of what happens next.
//!
//! It does what `engine`, `driver`, `committer`, `chores` and `keeper` do with tasks, in an order drawn from the seed.
//! Everything that the process does is fenced by `boot`: after a crash nothing of it happens any more, but what
//! was on its way to a relay arrives.

use crate::oracle::Oracle;
use crate::process::Process;
use crate::relays::Relays;
use crate::scene::Scene;
use crate::script::{Arrival, Later, Read};
use postroad_delivery::core::{Input, LaneNo, Policy};
use postroad_delivery::wire::{Command, ConnId, Event};
use postroad_model::delivery::Leased;
use postroad_model::{Clock, Timestamp};
use postroad_store::{LeaseRequest, Takeover};
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happens at a time.
#[derive(Debug)]
pub enum Happening {
    /// At a relay; survives a crash.
    Arrive(Arrival),
    /// Another node takes the lanes that lapsed, and gives them back later.
    OtherTakes(i64),
    OtherReleases(Vec<(postroad_model::RelayId, postroad_model::Epoch)>),
    /// The process starts again.
    Start,
    /// The rest belongs to a process.
    Ours(u64, Ours),
}

/// What a process does or sees.
#[derive(Debug)]
pub enum Ours {
    Read(ConnId, Read),
    Wire(Vec<Event>),
    Command(ConnId, Command),
    Tell(Vec<Input>),
    Lease(LaneNo, LeaseRequest),
    Compose(LaneNo, Vec<Leased>),
    Commit,
    Committed(Vec<Input>),
    Chore,
    ChoreDone(Option<Input>),
    Beat,
}

/// How a history runs.
#[derive(Debug, Clone, Copy)]
pub struct SimSettings {
    pub seed: u64,
    pub lease: Duration,
    pub policy: Policy,
}

impl SimSettings {
    pub fn new(seed: u64) -> Self {
        let policy = Policy { poll: Duration::from_secs(300), ..Policy::default() };
        Self { seed, lease: Duration::from_secs(600), policy }
    }
}

type Key = (Timestamp, u64, u64);

pub struct Sim {
    pub scene: Scene,
    pub relays: Relays,
    pub oracle: Oracle,
    pub rng: StdRng,
    pub settings: SimSettings,
    pub process: Process,
    pub boot: u64,
    /// The store does not answer before this.
    pub away_until: Timestamp,
    /// Our process is stopped (as by SIGSTOP) until then.
    pub frozen_until: Timestamp,
    /// The answer to every n-th commit is lost.
    pub lose_answers: Option<u64>,
    pub commits: u64,
    pub steps: u64,
    queue: BTreeMap<Key, Happening>,
    seq: u64,
    told_at: Timestamp,
    commanded_at: Timestamp,
}

impl Sim {
    pub async fn new(scene: Scene, settings: SimSettings) -> Self {
        let relays = Relays::new(scene.relays.iter().map(|(_, r)| r.clone()).collect());
        let process = Process::new(settings.policy);
        let now = scene.clock.now();
        let mut sim = Self {
            oracle: Oracle::new(&scene, settings.seed),
            relays,
            rng: postroad_testkit::rng(settings.seed),
            settings,
            process,
            boot: 0,
            away_until: now,
            frozen_until: now,
            lose_answers: None,
            commits: 0,
            steps: 0,
            queue: BTreeMap::new(),
            seq: 0,
            told_at: now,
            commanded_at: now,
            scene,
        };
        sim.start().await;
        sim
    }

    pub fn now(&self) -> Timestamp {
        self.scene.clock.now()
    }

    pub fn is_away(&self) -> bool {
        self.now() < self.away_until
    }

    /// Puts something into the queue; things at the same time come in an order drawn from the seed.
    pub fn after(&mut self, ms: i64, happening: Happening) {
        let tie = self.rng.random_range(1..u64::MAX);
        self.seq += 1;
        self.queue.insert((self.now().plus_ms(ms), tie, self.seq), happening);
    }

    pub fn ours(&mut self, ms: i64, ours: Ours) {
        let boot = self.boot;
        self.after(ms, Happening::Ours(boot, ours));
    }

    /// A short while.
    pub fn soon(&mut self) -> i64 {
        self.rng.random_range(0..4)
    }

    /// Events reach the engine a little later, in their order.
    pub fn wire(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        self.told_at = self.told_at.max(self.now().plus_ms(self.rng.random_range(0..4)));
        self.seq += 1;
        let happening = Happening::Ours(self.boot, Ours::Wire(events));
        self.queue.insert((self.told_at, 0, self.seq), happening);
    }

    /// So do commands reach connections: both may be under way at once.
    pub fn command(&mut self, conn: ConnId, command: Command) {
        self.commanded_at = self.commanded_at.max(self.now().plus_ms(self.rng.random_range(0..4)));
        self.seq += 1;
        let happening = Happening::Ours(self.boot, Ours::Command(conn, command));
        self.queue.insert((self.commanded_at, 0, self.seq), happening);
    }

    pub fn later(&mut self, all: Vec<Later>) {
        for later in all {
            match later {
                Later::Arrive(ms, arrival) => self.after(ms, Happening::Arrive(arrival)),
                Later::Read(ms, conn, read) => self.ours(ms, Ours::Read(conn, read)),
            }
        }
    }

    /// Runs until that time.
    pub async fn run_until(&mut self, until: Timestamp) {
        loop {
            let wake = self.process.wake.max(self.frozen_until);
            let first = self.queue.first_key_value().map(|(key, _)| key.0);
            let next = first.map_or(wake, |t| t.min(wake));
            if next > until {
                self.scene.clock.set(until);
                return;
            }
            self.scene.clock.set(next.max(self.now()));
            let mut inputs = Vec::new();
            while self.queue.first_key_value().is_some_and(|(key, _)| key.0 <= self.now()) {
                if let Some((_, happening)) = self.queue.pop_first() {
                    inputs.extend(self.happen(happening).await);
                }
                // One step for all that came at once, or for each: both happen.
                if !inputs.is_empty() && self.rng.random_bool(0.5) {
                    break;
                }
            }
            if !inputs.is_empty() || self.process.wake.max(self.frozen_until) <= self.now() {
                self.step(inputs);
            }
        }
    }

    pub async fn run_for(&mut self, by: Duration) {
        self.run_until(self.now().plus(by)).await;
    }

    async fn happen(&mut self, happening: Happening) -> Vec<Input> {
        match happening {
            Happening::Arrive(arrival) => {
                self.oracle.arrived(self.now(), arrival);
                Vec::new()
            }
            Happening::OtherTakes(ms) => {
                self.other_takes(ms).await;
                Vec::new()
            }
            Happening::OtherReleases(lanes) => {
                let (store, node) = (self.scene.store.clone(), self.scene.other_node);
                store.release_lanes(node, &lanes, self.now()).await.unwrap();
                Vec::new()
            }
            Happening::Start => {
                self.start().await;
                Vec::new()
            }
            Happening::Ours(boot, _) if boot != self.boot => Vec::new(),
            Happening::Ours(..) if self.now() < self.frozen_until => {
                // In the order in which it came: replies do not overtake each other.
                self.seq += 1;
                self.queue.insert((self.frozen_until, 0, self.seq), happening);
                Vec::new()
            }
            Happening::Ours(_, ours) => self.do_ours(ours).await,
        }
    }

    async fn other_takes(&mut self, ms: i64) {
        let now = self.now();
        let times = (now, now.plus_ms(ms + 1_000));
        let mut all = Vec::new();
        for (scope, ids) in self.scopes() {
            let (store, node) = (self.scene.store.clone(), self.scene.other_node);
            let taken =
                store.take_lanes(node, &scope, &ids, times, Takeover::WhenLapsed).await.unwrap();
            for (lane, reclaimed) in taken.into_iter().flatten() {
                self.oracle.leaks |= reclaimed.leased + reclaimed.sending > 0;
                all.push((lane.relay, lane.epoch));
            }
        }
        self.after(ms, Happening::OtherReleases(all));
    }

    /// kill -9: what was on its way arrives within a moment or never; the process comes back later.
    pub fn crash(&mut self, restart_ms: i64) {
        self.boot += 1;
        self.process = Process::new(self.settings.policy);
        self.process.wake = Timestamp(i64::MAX);
        self.frozen_until = self.now();
        self.relays.cut_all();
        self.oracle.leaks = true;
        let (now, queue) = (self.now(), std::mem::take(&mut self.queue));
        for (key, happening) in queue {
            match happening {
                Happening::Ours(..) | Happening::Start => {}
                Happening::Arrive(arrival) => {
                    if self.rng.random_bool(0.5) {
                        let at = key.0.min(now.plus_ms(self.rng.random_range(0..200)));
                        self.queue.insert((at, key.1, key.2), Happening::Arrive(arrival));
                    }
                }
                other @ (Happening::OtherTakes(_) | Happening::OtherReleases(_)) => {
                    self.queue.insert(key, other);
                }
            }
        }
        self.after(restart_ms.max(300), Happening::Start);
    }

    /// The process has come to its end: it gives its lanes back, and starts anew.
    pub async fn restart(&mut self) {
        let (store, node, now) = (self.scene.store.clone(), self.scene.node, self.now());
        store.release_lanes(node, &self.process.held_lanes(), now).await.unwrap();
        self.boot += 1;
        self.relays.cut_all();
        self.start().await;
    }

    /// SIGSTOP for a while; another node takes the lanes if that is longer than their lease, and it is told to hold them.
    pub fn freeze(&mut self, ms: i64, other_holds_ms: i64) {
        self.frozen_until = self.frozen_until.max(self.now().plus_ms(ms));
        let lease = i64::try_from(self.settings.lease.as_millis()).unwrap();
        if ms > lease && other_holds_ms > 0 {
            self.after(lease + 1, Happening::OtherTakes(other_holds_ms));
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.process.is_quiet()
    }
}
