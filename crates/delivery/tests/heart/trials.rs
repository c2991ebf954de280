//! The trials themselves, each on both engines.

use crate::engine::{ORDERS, run_to_the_end, start};
use crate::judge::{judge, open_rows};
use crate::scene::{Orders, SinkUnderTest, Wall, campaign, open_store, recipient, records, sinks};
use postroad_model::Clock;
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_smtpd::Kind;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[expect(
    clippy::disallowed_methods,
    reason = "the length of the trial comes from the one who runs it"
)]
fn setting(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn spawn(orders: &Orders) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine::engine_process", "--nocapture"])
        .env(ORDERS, serde_json::to_string(orders).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn orders(url: &str, sinks: &[SinkUnderTest], takeover_now: bool) -> Orders {
    Orders {
        url: url.into(),
        sinks: sinks.iter().map(|s| s.server.local_addr()).collect(),
        amount: setting("HEART_WINDOW_MS", 12_000) / 25,
        window_ms: setting("HEART_WINDOW_MS", 12_000),
        connections: 6,
        lease_ms: 1_500,
        commit_delay_ms: 0,
        node: "heart".into(),
        takeover_now,
    }
}

async fn progress(sinks: &[SinkUnderTest], child: &mut Child) {
    let before = records(sinks, Kind::Accepted).len();
    for _ in 0..600 {
        if records(sinks, Kind::Accepted).len() > before || child.try_wait().unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills the engine again and again while it sends, suppresses people meanwhile, then lets it finish.
async fn kills(url: &str, takeover_now: bool) {
    let kills = setting("HEART_KILLS", 20);
    let behaviour = "greylist = { delay_ms = 1000 }\n";
    let sinks = sinks(2, behaviour).await;
    let store = open_store(url, 0).await;
    let n = u32::try_from(kills).unwrap() * 60;
    campaign(&store, n).await;
    let orders = orders(url, &sinks, takeover_now);
    let mut roll = 0x5EED_u64;
    let mut suppressed = 0;
    let mut killed = 0;
    for kill in 0..kills {
        if open_rows(&store).await == 0 {
            break;
        }
        killed += 1;
        let mut child = spawn(&orders);
        progress(&sinks, &mut child).await;
        roll = postroad_model::rank::mix(roll);
        tokio::time::sleep(Duration::from_millis(roll % 400)).await;
        if kill % 4 == 1 {
            let address = recipient(n - 1 - suppressed);
            suppressed += 1;
            let new = NewSuppression {
                address,
                scope: SuppressionScope::All,
                reason: SuppressionReason::Manual,
                origin: "heart".into(),
                at: Wall.now(),
            };
            store.suppress(&new).await.unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run_to_the_end(&orders).await;
    assert_eq!(open_rows(&store).await, 0);
    let findings = judge(&store, &sinks, orders.amount, orders.window_ms).await;
    assert!(findings.accepted_at_sinks > n as usize / 2, "{findings:?}");
    assert!(killed * 2 > kills, "all was sent after {killed} kills: too few to tell");
    println!("{killed} kills, {n} recipients: {findings:?}");
}

/// `HEART_ENGINE=sqlite` or `postgres` leaves the other out.
#[expect(
    clippy::disallowed_methods,
    reason = "which engine is tried comes from the one who runs it"
)]
fn tries(engine: &str) -> bool {
    std::env::var("HEART_ENGINE").map_or(true, |asked| asked == "both" || asked == engine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_on_sqlite_lose_nothing_and_send_nothing_twice() {
    if !tries("sqlite") {
        return;
    }
    let database = postroad_testkit::sqlite::database();
    kills(database.url(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_on_postgres_lose_nothing_and_send_nothing_twice() {
    if !tries("postgres") {
        return;
    }
    let Some(database) = postroad_testkit::postgres::database() else { return };
    kills(database.url(), false).await;
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// An engine is stopped beyond its lease, another takes its lanes, then the first goes on: its permits are void.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_slept_beyond_its_lease_sends_no_dot() {
    let Some(database) = postroad_testkit::postgres::database() else { return };
    let url = database.url().to_owned();
    let sinks = sinks(2, "latency = [{ at = \"dot\", min_ms = 40, max_ms = 40 }]\n").await;
    let store = open_store(&url, 0).await;
    campaign(&store, 900).await;
    let mut orders = orders(&url, &sinks, false);
    orders.amount = 100_000;
    for round in 0..4 {
        let mut child = spawn(&Orders { node: format!("sleeper-{round}"), ..orders.clone() });
        progress(&sinks, &mut child).await;
        tokio::time::sleep(Duration::from_millis(150 + 37 * round)).await;
        signal(&child, "-STOP");
        let (other, other_store, _) =
            start(&Orders { node: format!("other-{round}"), ..orders.clone() }).await;
        // The sleeper may hold a transaction open: the server ends it, then the lanes can be taken.
        let taken = records(&sinks, Kind::Accepted).len();
        while records(&sinks, Kind::Accepted).len() == taken && open_rows(&store).await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        signal(&child, "-CONT");
        tokio::time::sleep(Duration::from_millis(600)).await;
        other.stop().await;
        other_store.close().await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run_to_the_end(&orders).await;
    let findings = judge(&store, &sinks, orders.amount, orders.window_ms).await;
    println!("slept four times: {findings:?}");
}

/// Suppressions race with the engine: after `suppress` returns no dot may follow from a later W2.
async fn suppress_race(url: &str, takeover_now: bool) {
    let sinks = sinks(2, "latency = [{ at = \"dot\", min_ms = 5, max_ms = 5 }]\n").await;
    let store = open_store(url, 0).await;
    campaign(&store, 1_500).await;
    let orders = Orders { amount: 100_000, connections: 10, ..orders(url, &sinks, takeover_now) };
    let (engine, engine_store, _) = start(&orders).await;
    for i in 0..200 {
        let new = NewSuppression {
            address: recipient(i * 7),
            scope: SuppressionScope::All,
            reason: SuppressionReason::Manual,
            origin: "race".into(),
            at: Wall.now(),
        };
        store.suppress(&new).await.unwrap();
    }
    while open_rows(&store).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    engine.stop().await;
    engine_store.close().await;
    let findings = judge(&store, &sinks, orders.amount, orders.window_ms).await;
    assert!(findings.suppressed > 0, "the race was lost every time: {findings:?}");
    println!("200 suppressions: {findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suppression_on_sqlite_is_obeyed_at_once() {
    let database = postroad_testkit::sqlite::database();
    suppress_race(database.url(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suppression_on_postgres_is_obeyed_at_once() {
    let Some(database) = postroad_testkit::postgres::database() else { return };
    suppress_race(database.url(), false).await;
}
