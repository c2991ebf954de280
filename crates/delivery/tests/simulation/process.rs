//! What one process does: carries out the core's actions, commits, does chores, keeps its lanes.

use crate::sim::{Ours, Sim};
use postroad_delivery::ComposeFailure;
use postroad_delivery::Composed;
use postroad_delivery::committer::{Commit, Write};
use postroad_delivery::core::{Action, Core, Input, LaneNo, LaneSettings, Policy};
use postroad_delivery::wire::{Command, Event};
use postroad_model::delivery::Leased;
use postroad_model::{CampaignId, Epoch, LeaseToken, MailboxProvider, RelayId, Timestamp};
use postroad_store::{Brake, LanePause, LeaseRequest, LedgerAct, ServeWhich, Takeover};
use rand::Rng;
use std::collections::{BTreeMap, VecDeque};

/// A write of the engine that no connection waits for.
pub enum Chore {
    Ledger(String, LedgerAct),
    Pause(RelayId, LanePause),
    Brake(Brake),
    Campaign(CampaignId),
}

/// The memory of one process.
pub struct Process {
    pub core: Core,
    pub wake: Timestamp,
    /// Relay (by its place in the scene) and epoch of each lane of the core.
    lanes: Vec<(usize, Epoch)>,
    held: BTreeMap<RelayId, (Epoch, LaneNo)>,
    paused: BTreeMap<RelayId, Timestamp>,
    writes: VecDeque<Write>,
    committing: bool,
    chores: VecDeque<Chore>,
    chore_runs: bool,
}

impl Process {
    pub fn new(policy: Policy) -> Self {
        Self {
            core: Core::new(policy),
            wake: Timestamp(i64::MIN),
            lanes: Vec::new(),
            held: BTreeMap::new(),
            paused: BTreeMap::new(),
            writes: VecDeque::new(),
            committing: false,
            chores: VecDeque::new(),
            chore_runs: false,
        }
    }

    /// Killed, and not started again yet.
    pub fn is_dead(&self) -> bool {
        self.wake == Timestamp(i64::MAX)
    }

    pub fn held_lanes(&self) -> Vec<(RelayId, Epoch)> {
        self.held.iter().map(|(relay, (epoch, _))| (*relay, *epoch)).collect()
    }

    pub fn is_quiet(&self) -> bool {
        self.core.is_idle() && self.writes.is_empty() && !self.committing && self.chores_done()
    }

    pub fn what_is_left(&self) -> String {
        format!(
            "core idle: {}, connections {:?}, waits {:?}, writes {}, committing {}, chores done: {}",
            self.core.is_idle(),
            self.core.connections(),
            self.core.waits(),
            self.writes.len(),
            self.committing,
            self.chores_done()
        )
    }

    fn chores_done(&self) -> bool {
        self.chores.is_empty() && !self.chore_runs
    }
}

impl Sim {
    pub async fn start(&mut self) {
        self.process = Process::new(self.settings.policy);
        self.process.wake = self.now();
        self.beat().await;
        self.ours(0, Ours::Beat);
    }

    pub fn scopes(&self) -> BTreeMap<String, Vec<RelayId>> {
        let mut scopes: BTreeMap<String, Vec<RelayId>> = BTreeMap::new();
        for (id, relay) in &self.scene.relays {
            scopes.entry(relay.limit_scope()).or_default().push(*id);
        }
        scopes
    }

    pub fn step(&mut self, inputs: Vec<Input>) {
        self.steps += 1;
        let now = self.now();
        let (actions, wake) = self.process.core.step(now, inputs);
        assert!(wake > now, "seed {}: the core asks to be woken in the past", self.settings.seed);
        self.process.wake = wake;
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        let soon = self.soon();
        match action {
            Action::Lease { lane, want, turn } => {
                let request = self.request(lane, want, turn);
                self.ours(soon, Ours::Lease(lane, request));
            }
            Action::Compose { lane, rows } => self.ours(soon, Ours::Compose(lane, rows)),
            Action::Open { lane, conn } => {
                let relay = self.process.lanes[lane.0].0;
                let later = self.relays.open(relay, conn, &mut self.rng);
                self.later(later);
            }
            Action::Tell { conn, command } => {
                if let Command::Offer(_) | Command::Dot { next: Some(_), .. } = &command {
                    let now = self.now();
                    self.oracle.offered(now, self.relays.relay_of(conn));
                }
                self.command(conn, command);
            }
            Action::Intend { intent, expires_at } => {
                self.oracle.intended(&intent);
                self.write(Write::Intend(intent, expires_at));
            }
            Action::Settle(settlement) => self.write(Write::Settle(settlement)),
            Action::Ledger { scope, act } => self.chore(Chore::Ledger(scope, act)),
            Action::PauseLane { relay, pause } => self.chore(Chore::Pause(relay, pause)),
            Action::Brake { relay, provider, until, reason } => {
                let (relay, provider) = (Some(relay), Some::<MailboxProvider>(provider));
                let by = "delivery".to_owned();
                self.chore(Chore::Brake(Brake { relay, provider, until, reason, by }));
            }
            Action::CheckCampaign(campaign) => self.chore(Chore::Campaign(campaign)),
        }
    }

    /// Passes what was written to relays on to the oracle.
    fn heard_of_writes(&mut self) {
        for (id, address, mail_from) in std::mem::take(&mut self.relays.envelopes) {
            self.oracle.enveloped(id, &address, &mail_from);
        }
        for dot in std::mem::take(&mut self.relays.dots) {
            self.oracle.dotted(&dot);
        }
    }

    fn request(&mut self, lane: LaneNo, want: i64, turn: u64) -> LeaseRequest {
        let (relay, epoch) = self.process.lanes[lane.0];
        let (id, relay) = &self.scene.relays[relay];
        LeaseRequest {
            node: self.scene.node,
            relay: *id,
            epoch,
            scope: relay.limit_scope(),
            pools: self.scene.pools.clone(),
            token: LeaseToken(self.rng.random_range(1..i64::MAX)),
            want,
            which: ServeWhich::All,
            turn,
        }
    }

    fn write(&mut self, write: Write) {
        self.process.writes.push_back(write);
        if !self.process.committing {
            self.process.committing = true;
            let soon = self.soon();
            self.ours(soon, Ours::Commit);
        }
    }

    fn chore(&mut self, chore: Chore) {
        self.process.chores.push_back(chore);
        if !self.process.chore_runs {
            self.process.chore_runs = true;
            let soon = self.soon();
            self.ours(soon, Ours::Chore);
        }
    }

    pub async fn do_ours(&mut self, ours: Ours) -> Vec<Input> {
        match ours {
            Ours::Read(conn, read) => {
                let now = self.now();
                let (told, later) = self.relays.read(conn, read, now, &mut self.rng);
                self.heard_of_writes();
                self.later(later);
                self.wire(told);
            }
            Ours::Command(conn, command) => {
                let now = self.now();
                let (told, later) = self.relays.tell(conn, command, now, &mut self.rng);
                self.heard_of_writes();
                self.later(later);
                self.wire(told);
            }
            Ours::Wire(events) => {
                for event in &events {
                    if let Event::Refused { conn, reply, .. }
                    | Event::Answered { conn, reply, .. } = event
                    {
                        let now = self.now();
                        self.oracle.replied(now, self.relays.relay_of(*conn), reply);
                    }
                }
                return events.into_iter().map(Input::Wire).collect();
            }
            Ours::Tell(inputs) => return inputs,
            Ours::Lease(lane, request) => self.lease(lane, &request).await,
            Ours::Compose(lane, rows) => {
                let now = self.now();
                let rows = rows.iter().map(|r| (r.id, compose(r, now))).collect();
                return vec![Input::Composed { lane, rows }];
            }
            Ours::Commit => self.commit().await,
            Ours::Committed(inputs) => {
                self.process.committing = !self.process.writes.is_empty();
                if self.process.committing {
                    let soon = self.soon();
                    self.ours(soon, Ours::Commit);
                }
                return inputs;
            }
            Ours::Chore => self.do_chore().await,
            Ours::ChoreDone(input) => {
                self.process.chore_runs = !self.process.chores.is_empty();
                if self.process.chore_runs {
                    let soon = self.soon();
                    self.ours(soon, Ours::Chore);
                }
                return input.into_iter().collect();
            }
            Ours::Beat => {
                let inputs = self.beat().await;
                let third = i64::try_from(self.settings.lease.as_millis()).unwrap() / 3;
                self.ours(third, Ours::Beat);
                return inputs;
            }
        }
        Vec::new()
    }

    async fn lease(&mut self, lane: LaneNo, request: &LeaseRequest) {
        let input = if self.is_away() {
            Input::LeaseFailed { lane }
        } else {
            let answer = self.scene.store.lease(request, self.now()).await.unwrap();
            self.oracle.leased(request, &answer);
            Input::Leased { lane, token: request.token, answer }
        };
        let soon = self.soon();
        self.ours(soon, Ours::Tell(vec![input]));
    }

    async fn commit(&mut self) {
        if self.is_away() {
            self.ours(250, Ours::Commit);
            return;
        }
        let (store, now) = (self.scene.store.clone(), self.now());
        let commit = Commit::next(&mut self.process.writes);
        let mut done = commit.write(&store, now).await.unwrap();
        self.oracle.committed(&done);
        self.commits += 1;
        if self.lose_answers.is_some_and(|n| self.commits.is_multiple_of(n)) {
            done = match commit.look_up(&store).await.unwrap() {
                Some(done) => done,
                None => {
                    let again = commit.write(&store, now).await.unwrap();
                    self.oracle.committed(&again);
                    again
                }
            };
        }
        let soon = self.soon();
        self.ours(soon, Ours::Committed(done.inputs));
    }

    async fn do_chore(&mut self) {
        if self.is_away() {
            self.ours(250, Ours::Chore);
            return;
        }
        let Some(chore) = self.process.chores.pop_front() else { return };
        let (store, now) = (self.scene.store.clone(), self.now());
        let input = match chore {
            Chore::Ledger(scope, act) => {
                self.oracle.booked(&act);
                let marks = matches!(act, LedgerAct::MarkFull { .. });
                let until = store.adjust_ledger(&scope, &[act], now).await.unwrap();
                marks.then_some(Input::MarkedFull { scope, until })
            }
            Chore::Pause(relay, pause) => {
                store.pause_lane(relay, &pause).await.unwrap();
                None
            }
            Chore::Brake(brake) => {
                store.set_brake(&brake, now).await.unwrap();
                None
            }
            Chore::Campaign(campaign) => {
                let runs = store.campaign_runs(campaign, now).await.unwrap();
                (!runs).then_some(Input::Stopped { campaign })
            }
        };
        let soon = self.soon();
        self.ours(soon, Ours::ChoreDone(input));
    }

    /// The keeper's heartbeat: renew, hear of lost lanes and pauses, take what is free.
    async fn beat(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.is_away() {
            return inputs;
        }
        let (store, now) = (self.scene.store.clone(), self.now());
        let lanes = self.process.held_lanes();
        let until = now.plus(self.settings.lease);
        let lost = store.renew_lanes(self.scene.node, &lanes, now, until).await.unwrap();
        for (relay, _) in lanes {
            let lane = self.process.held[&relay].1;
            if lost.contains(&relay) {
                self.process.held.remove(&relay);
                inputs.push(Input::Lost { lane });
            } else {
                inputs.push(Input::Renewed { lane, lease_until: until });
            }
        }
        store.unpin(now).await.unwrap();
        self.take_missing(&mut inputs).await;
        for lane in store.lanes().await.unwrap() {
            let Some((_, no)) = self.process.held.get(&lane.relay).copied() else { continue };
            let until = lane.pause.map(|p| p.until).filter(|t| *t > now);
            if self.process.paused.get(&lane.relay).copied() != until {
                match until {
                    Some(t) => self.process.paused.insert(lane.relay, t),
                    None => self.process.paused.remove(&lane.relay),
                };
                inputs.push(Input::Pause { lane: no, until });
            }
        }
        inputs
    }

    async fn take_missing(&mut self, inputs: &mut Vec<Input>) {
        let (store, now) = (self.scene.store.clone(), self.now());
        let times = (now, now.plus(self.settings.lease));
        // A process that starts anew knows that its predecessor is dead: the lock on the file says so.
        let takeover =
            if self.process.lanes.is_empty() { Takeover::Now } else { Takeover::WhenLapsed };
        for (scope, ids) in self.scopes() {
            if ids.iter().all(|id| self.process.held.contains_key(id)) {
                continue;
            }
            let taken = store.take_lanes(self.scene.node, &scope, &ids, times, takeover).await;
            for (lane, reclaimed) in taken.unwrap().into_iter().flatten() {
                self.oracle.leaks |= reclaimed.leased + reclaimed.sending > 0;
                if let Some((_, no)) = self.process.held.remove(&lane.relay) {
                    inputs.push(Input::Lost { lane: no });
                }
                let at = self.scene.relays.iter().position(|(id, _)| *id == lane.relay).unwrap();
                let settings = LaneSettings {
                    relay: self.scene.relays[at].1.clone(),
                    id: lane.relay,
                    pools: self.scene.pools.clone(),
                    epoch: lane.epoch,
                    lease_until: lane.lease_until,
                    busy_at: lane.busy_at,
                    pause: lane.pause,
                };
                let no = self.process.core.add_lane(settings, now);
                self.process.lanes.push((at, lane.epoch));
                self.process.held.insert(lane.relay, (lane.epoch, no));
            }
        }
    }
}

/// A fixed text; an unbound row gets another MAIL FROM at each attempt, so that what binds it can be seen.
fn compose(row: &Leased, now: Timestamp) -> Result<Composed, ComposeFailure> {
    let bound = row.bound.as_ref();
    let date = bound.map_or(now, |b| b.date);
    let fresh = || format!("b+{}-{}@b.example", row.id, row.attempt);
    Ok(Composed {
        mail_from: bound.map_or_else(fresh, |b| b.mail_from.clone()),
        envelope_id: format!("{}.{}", row.id, row.copy_no),
        message: b"Subject: simulated\r\n\r\nHello\r\n".to_vec(),
        content_hash: date.0 ^ row.id.id,
        date,
        needs_smtputf8: false,
    })
}
