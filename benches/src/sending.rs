//! The campaign: the engine with its durable writes sends what stands in a database.
//!
//! All is as `postroad run` does it, apart from the configuration, which is made here, and the exporter. It ends when
//! every row is settled as accepted; anything else ends the run with an error.

use crate::database::{CAMPAIGN, open};
use crate::job::{Figures, Measure, runtime};
use crate::message::{self, Maker, Signing, key_ring};
use crate::stopwatch::{Wall, resident_mb};
use anyhow::{Context as _, Result, bail};
use postroad_delivery::connection::timeouts::Timeouts;
use postroad_delivery::core::Policy;
use postroad_delivery::dial::{Credentials, Local, tls_trusting_only};
use postroad_delivery::observe::Observe;
use postroad_delivery::{Engine, EngineSettings, Parts, Served};
use postroad_model::delivery::DeliveryState;
use postroad_store::{ServeWhich, Settlement, Store, StoreClock, Takeover};
use postroad_testkit::certificate::Authority;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::sync::Notify;

/// What is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sending {
    /// The filled database.
    pub url: String,
    /// Whereto.
    pub sink: SocketAddr,
    /// Its recipients.
    pub n: u64,
    /// Over how many connections.
    pub connections: u32,
    /// Signed how.
    pub signing: Signing,
    /// Where the keys are.
    pub keys: PathBuf,
    /// What each commit waits.
    pub commit_delay_ms: u64,
}

/// Memory is looked at this many times.
const SAMPLES: u64 = 50;

/// No settlement for so long: something is wrong.
const STALLED_SECONDS: u32 = 60;

struct Counted {
    n: u64,
    accepted: AtomicU64,
    other: AtomicU64,
    done: Notify,
}

impl Observe for Counted {
    fn settled(&self, _: &Settlement, state: DeliveryState) {
        if state != DeliveryState::Accepted {
            self.other.fetch_add(1, Ordering::Relaxed);
            self.done.notify_one();
        } else if self.accepted.fetch_add(1, Ordering::Relaxed) + 1 == self.n {
            self.done.notify_one();
        }
    }
}

/// Sends all of it.
pub fn run(job: &Sending) -> Result<Figures> {
    runtime()?.block_on(async {
        let store = Arc::new(open(&job.url, job.commit_delay_ms).await?);
        let clock = Arc::new(StoreClock::new(Arc::new(Wall)));
        clock.sample(&store).await?;
        let counted = Arc::new(Counted {
            n: job.n,
            accepted: AtomicU64::new(0),
            other: AtomicU64::new(0),
            done: Notify::new(),
        });
        let (settings, parts) = engine(job, &store, &clock, &counted).await?;
        let measure = Measure::start();
        let engine = Engine::start(settings, parts);
        let samples = watch(&counted).await?;
        let mut figures = measure.end(job.n);
        engine.stop().await;
        store.close().await;
        figures.samples_mb = samples;
        Ok(figures)
    })
}

/// Waits for the last settlement, and looks at the memory on the way.
async fn watch(counted: &Counted) -> Result<Vec<f64>> {
    let step = (counted.n / SAMPLES).max(1);
    let (mut samples, mut next, mut before, mut still) = (Vec::new(), step, 0, 0);
    loop {
        let ended = tokio::time::timeout(Duration::from_millis(100), counted.done.notified()).await;
        let accepted = counted.accepted.load(Ordering::Relaxed);
        let other = counted.other.load(Ordering::Relaxed);
        if other > 0 {
            bail!("{other} rows were settled as something else than accepted");
        }
        if accepted >= next {
            samples.push(resident_mb("VmRSS"));
            next = (accepted / step + 1) * step;
        }
        if ended.is_ok() {
            return Ok(samples);
        }
        still = if accepted == before { still + 1 } else { 0 };
        before = accepted;
        if still > STALLED_SECONDS * 10 {
            bail!("nothing was settled for {STALLED_SECONDS} s; {accepted} rows are accepted");
        }
    }
}

async fn engine(
    job: &Sending,
    store: &Arc<Store>,
    clock: &Arc<StoreClock>,
    counted: &Arc<Counted>,
) -> Result<(EngineSettings, Parts)> {
    let relay = message::relay(job.sink, job.connections);
    let now = postroad_model::Clock::now(&**clock);
    let node = store.register_node("bench", "0", now).await?;
    let ids = store.register_relays(std::slice::from_ref(&relay.name)).await?;
    let pools = store.register_pools(&["newsletter".into()]).await?;
    let campaign = store.campaign(CAMPAIGN).await?.campaign;
    let maker = Maker::new(&campaign, &relay, key_ring(&job.keys, job.signing)?)?;
    let served = Served {
        id: *ids.get(&relay.name).context("the relay was registered")?,
        relay: Arc::new(relay),
        pools: pools.values().copied().collect(),
        tls: tls_trusting_only(Authority::new().certificate_pem().as_bytes())
            .map_err(|e| anyhow::anyhow!("{e}"))?,
    };
    let settings = EngineSettings {
        node,
        which: ServeWhich::All,
        relays: vec![served],
        lease: Duration::from_secs(30),
        takeover: Takeover::Now,
        policy: Policy::default(),
        timeouts: Timeouts::default(),
        local: Local::new("bench.example", None),
        seed: 7,
        compose_threads: available_parallelism().map_or(2, usize::from),
    };
    let parts = Parts {
        store: store.clone(),
        clock: clock.clone(),
        compose: Arc::new(maker),
        login: Arc::new(|_| Box::pin(async { Ok(Credentials::None) })),
        observe: counted.clone(),
    };
    Ok((settings, parts))
}
