//! The tokio driver: runs the core's actions as tasks and brings what happened back.
//!
//! Started by the binary, calls the store, the composer and the connections. One task steps the core; one writes
//! (the committer); one keeps the leases; one per connection. What must always hold: no transaction is open while
//! SMTP is spoken, CPU work runs on blocking threads, every queue is bounded by the lanes' depth.

use crate::compose::Compose;
use crate::connection::timeouts::Timeouts;
use crate::core::{Connections, Input, LaneNo, Policy, Wait};
use crate::dial::{Credentials, Local};
use crate::driver::Driver;
use crate::observe::Observe;
use postroad_model::relay::Relay;
use postroad_model::{NodeId, PoolId, RelayId};
use postroad_store::{ServeWhich, Store, StoreClock, Takeover};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;

/// Fetches the credentials of a relay; a failure pauses the lane and never the row.
pub type Login = Arc<
    dyn Fn(Arc<Relay>) -> Pin<Box<dyn Future<Output = Result<Credentials, String>> + Send>>
        + Send
        + Sync,
>;

/// A relay that this node serves.
#[derive(Clone)]
pub struct Served {
    /// The relay.
    pub relay: Arc<Relay>,
    /// Its id.
    pub id: RelayId,
    /// Its pools.
    pub pools: Vec<PoolId>,
    /// The authorities that its certificate is checked against.
    pub tls: TlsConnector,
}

/// All that an engine needs beside the store.
#[derive(Clone)]
pub struct EngineSettings {
    /// This node.
    pub node: NodeId,
    /// Which campaigns it serves.
    pub which: ServeWhich,
    /// The relays.
    pub relays: Vec<Served>,
    /// How long a lane stays ours without a heartbeat.
    pub lease: Duration,
    /// When lanes of other nodes may be taken.
    pub takeover: Takeover,
    /// The core's policy.
    pub policy: Policy,
    /// Per phase.
    pub timeouts: Timeouts,
    /// The name in EHLO and the local address.
    pub local: Local,
    /// Random; tokens come from it.
    pub seed: u64,
    /// Threads that compose at once.
    pub compose_threads: usize,
}

/// The parts that an engine works with.
#[derive(Clone)]
pub struct Parts {
    /// Durable state.
    pub store: Arc<Store>,
    /// The database's time.
    pub clock: Arc<StoreClock>,
    /// Makes messages.
    pub compose: Arc<dyn Compose>,
    /// Fetches credentials.
    pub login: Login,
    /// Counts what happens.
    pub observe: Arc<dyn Observe>,
}

/// A running engine.
pub struct Engine {
    inputs: mpsc::UnboundedSender<Input>,
    waits: watch::Receiver<Snapshot>,
    lanes: Arc<Mutex<BTreeMap<RelayId, LaneNo>>>,
    main: tokio::task::JoinHandle<()>,
}

/// What an engine is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Why each lane waits.
    pub waits: Vec<(RelayId, Wait)>,
    /// Connections by relay.
    pub connections: Vec<(RelayId, Connections)>,
}

impl Engine {
    /// Starts the engine. It takes its lanes in the background, again and again where another node holds them.
    #[must_use]
    pub fn start(settings: EngineSettings, parts: Parts) -> Self {
        let (inputs, received) = mpsc::unbounded_channel();
        let (snapshot, waits) = watch::channel(Snapshot::default());
        let lanes = Arc::new(Mutex::new(BTreeMap::new()));
        let main = tokio::spawn(Driver::run(
            settings,
            parts,
            inputs.clone(),
            received,
            lanes.clone(),
            snapshot,
        ));
        Self { inputs, waits, lanes, main }
    }

    /// What it is doing now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.waits.borrow().clone()
    }

    /// A receiver that changes with each step that changed something.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.waits.clone()
    }

    /// New rows may be there.
    pub fn nudge(&self) {
        // A closed channel means that the engine has ended: nothing to tell.
        let _ = self.inputs.send(Input::Nudge);
    }

    /// A relay's limits changed in the configuration; its ledger rows were brought in step already.
    pub fn reload(&self, id: RelayId, relay: Arc<Relay>) {
        let lane =
            self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&id).copied();
        if let Some(lane) = lane {
            let _ = self.inputs.send(Input::Reload { lane, relay });
        }
    }

    /// Leases and sends nothing more from now on; [`Self::stop`] waits for the end.
    pub fn drain(&self) {
        let _ = self.inputs.send(Input::Drain);
    }

    /// Leases nothing more, waits for the replies to all dots that are on the wire, and gives the lanes back.
    pub async fn stop(self) {
        self.drain();
        if let Err(error) = self.main.await {
            tracing::error!(%error, "the engine ended with a fault");
        }
    }
}
