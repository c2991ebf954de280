//! The child: an engine with fixed texts, run until it is killed, told to stop, or nothing is left.

use crate::scene::{Orders, Wall, open_store};
use postroad_delivery::core::{Policy, Wait};
use postroad_delivery::dial::{Credentials, Local, tls_trusting_only};
use postroad_delivery::observe::Unobserved;
use postroad_delivery::retry::RetryPolicy;
use postroad_delivery::{Compose, ComposeFailure, Composed, Engine, EngineSettings, Parts, Served};
use postroad_model::delivery::Leased;
use postroad_model::relay::{ConnectionLimits, Endpoint, Relay, TlsMode};
use postroad_model::{Clock, Timestamp};
use postroad_store::{ServeWhich, Store, StoreClock, Takeover};
use postroad_testkit::builders;
use postroad_testkit::certificate::Authority;
use std::sync::Arc;
use std::time::Duration;

pub const ORDERS: &str = "HEART_ORDERS";

/// Fixed texts; the envelope's tag tells row and copy, so that the judge sees whether it stays the same.
pub struct FixedText;

impl Compose for FixedText {
    fn compose(&self, row: &Leased, _: &Relay, now: Timestamp) -> Result<Composed, ComposeFailure> {
        let bound = row.bound.as_ref();
        let tag = format!("b+{}-{}@bounce.example", row.id, row.copy_no);
        let date = bound.map_or(now, |b| b.date);
        let message = format!(
            "From: <anna@news.example.com>\r\nTo: <{}>\r\nSubject: heart\r\nMessage-ID: <{}@heart.example>\r\n\r\nHello\r\n",
            row.address, row.id
        );
        Ok(Composed {
            mail_from: bound.map_or(tag, |b| b.mail_from.clone()),
            envelope_id: format!("{}.{}", row.id, row.copy_no),
            content_hash: i64::try_from(message.len()).unwrap(),
            message: message.into_bytes(),
            date,
            needs_smtputf8: false,
        })
    }
}

fn relay(orders: &Orders, i: usize) -> Relay {
    let sink = orders.sinks[i];
    Relay {
        endpoint: Endpoint { host: sink.ip().to_string(), port: sink.port(), tls: TlsMode::None },
        quota_group: Some("account".into()),
        limits: orders.limit().into_iter().collect(),
        connections: ConnectionLimits {
            max_connections: orders.connections,
            max_messages_per_connection: None,
            idle: Duration::from_secs(30),
        },
        ..builders::relay(&format!("relay-{i}"))
    }
}

pub async fn start(orders: &Orders) -> (Engine, Arc<Store>, Arc<StoreClock>) {
    let store = Arc::new(open_store(&orders.url, orders.commit_delay_ms).await);
    let clock = Arc::new(StoreClock::new(Arc::new(Wall)));
    clock.sample(&store).await.unwrap();
    let now = clock.now();
    let node = store.register_node(&orders.node, "test", now).await.unwrap();
    let relays: Vec<Relay> = (0..orders.sinks.len()).map(|i| relay(orders, i)).collect();
    let names: Vec<String> = relays.iter().map(|r| r.name.clone()).collect();
    let ids = store.register_relays(&names).await.unwrap();
    let pools = store.register_pools(&["newsletter".into()]).await.unwrap();
    if let Some(relay) = relays.first() {
        store.sync_limits(&relay.limit_scope(), &relay.limits, now).await.unwrap();
    }
    let tls = tls_trusting_only(Authority::new().certificate_pem().as_bytes()).unwrap();
    let served = relays.into_iter().map(|relay| Served {
        id: ids[&relay.name],
        relay: Arc::new(relay),
        pools: pools.values().copied().collect(),
        tls: tls.clone(),
    });
    let retry = RetryPolicy { first: Duration::from_millis(1_500), ..RetryPolicy::default() };
    let settings = EngineSettings {
        node,
        which: ServeWhich::All,
        relays: served.collect(),
        lease: Duration::from_millis(orders.lease_ms),
        takeover: if orders.takeover_now { Takeover::Now } else { Takeover::WhenLapsed },
        policy: Policy {
            retry,
            lease_margin: Duration::from_millis(orders.lease_ms / 6),
            poll: Duration::from_millis(100),
            ..Policy::default()
        },
        timeouts: postroad_delivery::connection::timeouts::Timeouts::default(),
        local: Local::new("heart.example", None),
        seed: u64::from(std::process::id()) ^ now.0.cast_unsigned(),
        compose_threads: 2,
    };
    let parts = Parts {
        store: store.clone(),
        clock: clock.clone(),
        compose: Arc::new(FixedText),
        login: Arc::new(|_| Box::pin(async { Ok(Credentials::None) })),
        observe: Arc::new(Unobserved),
    };
    (Engine::start(settings, parts), store, clock)
}

/// Runs until no lane has anything to do for a while.
pub async fn run_to_the_end(orders: &Orders) {
    let (engine, store, _) = start(orders).await;
    let mut quiet = 0;
    while quiet < 5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let open = crate::judge::open_rows(&store).await;
        let waits = engine.snapshot().waits;
        let idle = waits.iter().all(|(_, w)| matches!(w, Wait::NoRows(_) | Wait::Lost));
        quiet = if open == 0 && idle { quiet + 1 } else { 0 };
    }
    engine.stop().await;
    store.close().await;
}

/// Not a test of its own: the engine's process of the trials.
#[expect(
    clippy::disallowed_methods,
    reason = "a child process gets its orders through the environment"
)]
#[test]
fn engine_process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(run_to_the_end(&orders));
}
