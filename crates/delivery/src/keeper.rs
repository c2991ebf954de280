//! Keeps the node's lanes: takes them, renews their leases, sees the operator's pauses.
//!
//! One task beside the core. All lanes of one limit scope are taken together or not at all. What must always hold:
//! the core hears of a longer lease only after it is durable, and of a lost lane as soon as that is known.

use crate::core::{Input, LaneNo, LaneSettings};
use crate::engine::{EngineSettings, Parts, Served};
use postroad_model::{Clock, Epoch, RelayId, Timestamp};
use postroad_store::Lane;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// The lanes that this node holds.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<BTreeMap<RelayId, (Epoch, LaneNo)>>>);

impl Held {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<RelayId, (Epoch, LaneNo)>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub(crate) fn add(&self, relay: RelayId, epoch: Epoch, no: LaneNo) {
        self.with(|lanes| lanes.insert(relay, (epoch, no)));
    }

    pub(crate) fn lanes(&self) -> Vec<(RelayId, Epoch)> {
        self.with(|lanes| lanes.iter().map(|(relay, (epoch, _))| (*relay, *epoch)).collect())
    }

    fn remove(&self, relay: RelayId) -> Option<LaneNo> {
        self.with(|lanes| lanes.remove(&relay).map(|(_, no)| no))
    }

    fn number(&self, relay: RelayId) -> Option<LaneNo> {
        self.with(|lanes| lanes.get(&relay).map(|(_, no)| *no))
    }
}

/// A lane that was just taken.
pub(crate) struct Taken {
    pub(crate) served: Served,
    pub(crate) settings: LaneSettings,
}

pub(crate) async fn run(
    settings: EngineSettings,
    parts: Parts,
    held: Held,
    taken: mpsc::UnboundedSender<Taken>,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let beat = (settings.lease / 3).max(Duration::from_millis(100));
    let look = beat.min(Duration::from_secs(1));
    let mut keeper =
        Keeper { settings, parts, held, taken, inputs, paused: BTreeMap::new(), asked: Vec::new() };
    let mut last_beat = None;
    loop {
        let now = keeper.parts.clock.now();
        if last_beat.is_none_or(|t: Timestamp| now >= t.plus(beat)) {
            last_beat = Some(now);
            keeper.beat(now).await;
        }
        keeper.look(now).await;
        tokio::time::sleep(look).await;
    }
}

struct Keeper {
    settings: EngineSettings,
    parts: Parts,
    held: Held,
    taken: mpsc::UnboundedSender<Taken>,
    inputs: mpsc::UnboundedSender<Input>,
    paused: BTreeMap<RelayId, Timestamp>,
    /// Lanes sent to the driver that it has not registered yet.
    asked: Vec<RelayId>,
}

impl Keeper {
    async fn beat(&mut self, now: Timestamp) {
        let store = self.parts.store.clone();
        if let Err(error) = self.parts.clock.sample(&store).await {
            tracing::warn!(%error, "the database's time cannot be read");
        }
        let lanes = self.held.lanes();
        let until = now.plus(self.settings.lease);
        match store.renew_lanes(self.settings.node, &lanes, now, until).await {
            Ok(lost) => {
                for (relay, _) in &lanes {
                    if lost.contains(relay) {
                        tracing::warn!(relay = relay.0, "another node has taken the lane");
                        if let Some(lane) = self.held.remove(*relay) {
                            self.tell(Input::Lost { lane });
                        }
                    } else if let Some(lane) = self.held.number(*relay) {
                        self.tell(Input::Renewed { lane, lease_until: until });
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
        if let Err(error) = store.node_heartbeat(self.settings.node, now).await {
            tracing::debug!(%error, "no heartbeat");
        }
        if let Err(error) = store.unpin(now).await {
            tracing::debug!(%error, "greylisted rows stay pinned for now");
        }
        self.take_missing(now).await;
    }

    async fn take_missing(&mut self, now: Timestamp) {
        let held: Vec<RelayId> = self.held.lanes().into_iter().map(|(relay, _)| relay).collect();
        self.asked.retain(|r| !held.contains(r));
        let mut scopes: BTreeMap<String, Vec<Served>> = BTreeMap::new();
        for served in &self.settings.relays {
            scopes.entry(served.relay.limit_scope()).or_default().push(served.clone());
        }
        for (scope, all) in scopes {
            if all.iter().all(|s| held.contains(&s.id) || self.asked.contains(&s.id)) {
                continue;
            }
            // What of the scope is held comes along: its lanes stay together.
            let ids: Vec<RelayId> = all.iter().map(|s| s.id).collect();
            let until = now.plus(self.settings.lease);
            let store = &self.parts.store;
            let answer = store
                .take_lanes(self.settings.node, &scope, &ids, (now, until), self.settings.takeover)
                .await;
            match answer {
                Ok(Some(lanes)) => {
                    for ((lane, reclaimed), served) in lanes.into_iter().zip(all) {
                        if reclaimed.leased + reclaimed.sending > 0 {
                            let (leased, unknown) = (reclaimed.leased, reclaimed.sending);
                            tracing::info!(relay = %served.relay.name, leased, unknown, "rows of the lane's last holder");
                        }
                        self.hand_over(served, lane);
                    }
                }
                Ok(None) => tracing::debug!(%scope, "another node holds these lanes"),
                Err(error) => tracing::warn!(%error, %scope, "lanes could not be taken"),
            }
        }
    }

    fn hand_over(&mut self, served: Served, lane: Lane) {
        if let Some(no) = self.held.remove(served.id) {
            self.tell(Input::Lost { lane: no });
        }
        let settings = LaneSettings {
            relay: served.relay.clone(),
            id: served.id,
            pools: served.pools.clone(),
            epoch: lane.epoch,
            lease_until: lane.lease_until,
            busy_at: lane.busy_at,
            pause: lane.pause,
        };
        self.asked.push(served.id);
        // A closed channel means that the engine ends; the lease runs out by itself.
        let _ = self.taken.send(Taken { served, settings });
    }

    /// Sees pauses that the operator set or ended.
    async fn look(&mut self, now: Timestamp) {
        let lanes = match self.parts.store.lanes().await {
            Ok(lanes) => lanes,
            Err(error) => {
                tracing::debug!(%error, "lanes could not be read");
                return;
            }
        };
        for lane in lanes {
            let Some(no) = self.held.number(lane.relay) else { continue };
            let until = lane.pause.map(|p| p.until).filter(|t| *t > now);
            if self.paused.get(&lane.relay).copied() != until {
                match until {
                    Some(t) => self.paused.insert(lane.relay, t),
                    None => self.paused.remove(&lane.relay),
                };
                self.tell(Input::Pause { lane: no, until });
            }
        }
    }

    fn tell(&self, input: Input) {
        let _ = self.inputs.send(input);
    }
}
