//! Starts the engine and the supervisor for a command: `run`, `test`, `serve`, `demo`.
//!
//! On SQLite a lock file proves that one engine at most works on a database; with PostgreSQL lanes' leases do.

use super::asking::{Asking, Checking};
use super::composer::Maker;
use super::credentials::{Authorities, login};
use super::feedback::{Sweeping, feedback};
use super::observe::{Counted, Noted};
use super::placement::{Placing, boxes, register};
use super::supervise::Supervision;
use crate::app::{App, Opened, Registry};
use crate::environment;
use anyhow::{Context as _, Result};
use postroad_config::Retry;
use postroad_delivery::connection::timeouts::Timeouts;
use postroad_delivery::core::Policy;
use postroad_delivery::dial::Local;
use postroad_delivery::observe::{Observe, Unobserved};
use postroad_delivery::retry::RetryPolicy;
use postroad_delivery::{Compose, Engine, EngineSettings, Parts, Served};
use postroad_dkim::KeyRing;
use postroad_feedback::Feedback;
use postroad_metrics::Metrics;
use postroad_model::relay::{Relay, SendingDomain};
use postroad_model::{Clock, NodeId, PoolId, RelayId};
use postroad_store::{ServeWhich, Store, StoreClock, Takeover};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

/// An engine that works, with what belongs to it.
pub struct Running {
    pub engine: Arc<Engine>,
    pub supervision: Supervision,
    sweeping: Sweeping,
    placing: Placing,
    /// Where DNS may be asked.
    asking: Option<Asking>,
    /// Takes what comes back.
    pub feedback: Arc<Feedback>,
    pub relays: BTreeMap<String, RelayId>,
    /// This process, as the database knows it.
    pub node: NodeId,
    /// The time that leases are measured by.
    pub clock: Arc<StoreClock>,
    store: Arc<Store>,
    /// Held as long as the engine lives.
    _lock: Option<File>,
}

impl Running {
    /// Leases nothing more, awaits the replies that are due, gives the lanes back.
    pub async fn stop(self) {
        // First of all: what ends beside the engine may take its time, a look into a slow mailbox ten seconds.
        self.engine.drain();
        if let Some(asking) = self.asking {
            asking.stop().await;
        }
        self.supervision.stop().await;
        self.placing.stop().await;
        match Arc::try_unwrap(self.engine) {
            Ok(engine) => engine.stop().await,
            Err(_) => tracing::error!("somebody still holds the engine; it is not drained"),
        }
        self.sweeping.stop().await;
        if let Err(error) = self.store.stop_node(self.node, self.clock.now()).await {
            tracing::debug!(%error, "the node counts as alive for some minutes more");
        }
    }
}

/// Starts the engine for some campaigns.
///
/// # Errors
/// `EngineLocked` when another engine works on the same SQLite file; what the configuration lacks.
pub async fn start(
    app: &App,
    opened: &Opened,
    which: ServeWhich,
    metrics: Option<Arc<Metrics>>,
) -> Result<Running> {
    let lock = match opened.store.path() {
        Some(path) => Some(lock(path)?),
        None => None,
    };
    let takeover = if lock.is_some() { Takeover::Now } else { Takeover::WhenLapsed };
    let now = app.now();
    let registry = opened.register(now).await?;
    let clock = Arc::new(StoreClock::new(app.clock.clone()));
    // What may fail comes before the engine: one that is dropped leaves rows leased and quota reserved.
    let ticking: Arc<dyn Clock> = clock.clone();
    let seeds = boxes(&opened.config, &ticking)?;
    let (keys, warnings) = KeyRing::load(&opened.config.domains)?;
    warnings.iter().for_each(|w| app.output.warn(w));
    let name = environment::node_name();
    let node = opened.store.register_node(&name, env!("CARGO_PKG_VERSION"), now).await?;
    clock.sample(&opened.store).await?;
    register(opened, clock.now()).await?;
    let maker = Maker::new(opened.store.clone(), opened.setup.clone(), keys, &registry.relays);
    let (compose, observe) = observed(opened, Arc::new(maker), metrics.clone(), &registry);
    let settings = settings(opened, node, which, takeover, &registry)?;
    let parts = Parts {
        store: opened.store.clone(),
        clock: clock.clone(),
        compose,
        login: login(&opened.config.relays, clock.clone())?,
        observe,
    };
    let asking = match (&which, &opened.config.dns) {
        (ServeWhich::All, Some(servers)) => {
            let (store, clock) = (opened.store.clone(), clock.clone());
            let checking = checking(&opened.config.domains, metrics.as_ref())?;
            Some(Asking::start(servers, store, node, clock, checking)?)
        }
        (ServeWhich::Only(_), _) | (ServeWhich::All, None) => None,
    };
    let engine = Arc::new(Engine::start(settings, parts));
    let only = match which {
        ServeWhich::All => None,
        ServeWhich::Only(id) => Some(id),
    };
    let supervision = Supervision::start(opened, node, only, clock.clone(), &engine);
    let placing = Placing::start(opened, seeds, node, clock.clone(), metrics.clone());
    let feedback = feedback(opened, &registry, metrics);
    let sweeping = Sweeping::start(feedback.clone(), node, clock.clone());
    let relays = registry.relays;
    Ok(Running {
        engine,
        supervision,
        sweeping,
        placing,
        asking,
        feedback,
        relays,
        node,
        clock,
        store: opened.store.clone(),
        _lock: lock,
    })
}

/// With an exporter, sending domains are checked.
fn checking(domains: &[SendingDomain], metrics: Option<&Arc<Metrics>>) -> Result<Option<Checking>> {
    let Some(metrics) = metrics else { return Ok(None) };
    let (keys, _) = KeyRing::load(domains)?;
    Ok(Some(Checking { domains: domains.to_vec(), keys, metrics: metrics.clone() }))
}

/// With an exporter, what is composed and settled is counted.
fn observed(
    opened: &Opened,
    maker: Arc<Maker>,
    metrics: Option<Arc<Metrics>>,
    registry: &Registry,
) -> (Arc<dyn Compose>, Arc<dyn Observe>) {
    match metrics {
        None => (maker, Arc::new(Unobserved)),
        Some(metrics) => {
            let counted = Arc::new(Counted::new(metrics, opened.store.clone(), &registry.relays));
            (Arc::new(Noted { inner: maker, counted: counted.clone() }), counted)
        }
    }
}

fn settings(
    opened: &Opened,
    node: NodeId,
    which: ServeWhich,
    takeover: Takeover,
    registry: &Registry,
) -> Result<EngineSettings> {
    let config = &opened.config;
    let mut authorities = Authorities::default();
    let mut served = Vec::new();
    for relay in &config.relays {
        let member = config.pools.iter().filter(|p| p.relays.contains(&relay.name));
        let pools: Vec<PoolId> =
            member.filter_map(|p| registry.pools.get(&p.name).copied()).collect();
        let Some(id) = registry.relays.get(&relay.name).copied() else { continue };
        if !pools.is_empty() {
            let tls = authorities.of(relay)?;
            served.push(Served { relay: Arc::new(relay.clone()), id, pools, tls });
        }
    }
    let policy = Policy { retry: retry(&config.engine.retry, config), ..Policy::default() };
    Ok(EngineSettings {
        node,
        which,
        relays: served,
        lease: config.engine.lease,
        takeover,
        policy,
        timeouts: Timeouts::default(),
        local: Local::new(&environment::host_name(), None),
        seed: environment::random_i64().cast_unsigned(),
        compose_threads: available_parallelism().map_or(2, usize::from),
    })
}

fn retry(retry: &Retry, config: &postroad_config::Config) -> RetryPolicy {
    let percent = |part: f64| (part * 100.0).round() as u32;
    RetryPolicy {
        first: retry.first,
        growth_percent: percent(retry.factor),
        longest: retry.max,
        jitter_percent: percent(retry.jitter),
        // The campaign's expiry ends its rows; nothing ends them before.
        give_up_after: config.engine.expire_after.max(RetryPolicy::default().give_up_after),
        pin: config.engine.greylist_pin,
    }
}

/// A relay as the engine has it after a reload.
pub fn reloaded(relays: &[Relay], ids: &BTreeMap<String, RelayId>) -> Vec<(RelayId, Arc<Relay>)> {
    relays.iter().filter_map(|r| Some((*ids.get(&r.name)?, Arc::new(r.clone())))).collect()
}

/// Takes the lock of a SQLite file's one engine.
fn lock(database: &Path) -> Result<File> {
    let mut name = database.as_os_str().to_owned();
    name.push(".engine");
    let path = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot make the engine lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let path = database.display().to_string();
            Err(postroad_store::Error::EngineLocked { path }.into())
        }
        Err(TryLockError::Error(source)) => {
            let path = path.display().to_string();
            Err(postroad_store::Error::LockFile { path, source }.into())
        }
    }
}

/// True when another engine works on the same SQLite file.
pub fn is_locked(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<postroad_store::Error>(),
        Some(postroad_store::Error::EngineLocked { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_engine() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let first = lock(&database).unwrap();
        assert!(is_locked(&lock(&database).unwrap_err()));
        drop(first);
        assert!(lock(&database).is_ok());
    }
}
