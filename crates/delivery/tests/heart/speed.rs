//! How fast the heart beats: printed, never asserted. 20 and 200 connections, commits of 0, 1 and 5 ms.

use crate::engine::start;
use crate::judge::open_rows;
use crate::scene::{Orders, Wall, campaign, open_store, sinks};
use postroad_model::Clock;
use std::time::Duration;

async fn beat(url: &str, connections: u32, commit_delay_ms: u64, n: u32) {
    let sinks = sinks(1, "").await;
    let store = open_store(url, 0).await;
    campaign(&store, n).await;
    let orders = Orders {
        url: url.into(),
        sinks: sinks.iter().map(|s| s.server.local_addr()).collect(),
        amount: 0,
        window_ms: 12_000,
        connections,
        lease_ms: 30_000,
        commit_delay_ms,
        node: "speed".into(),
        takeover_now: true,
    };
    let began = Wall.now();
    let (engine, engine_store, _) = start(&orders).await;
    while open_rows(&store).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ms = Wall.now().since_ms(began).max(1);
    engine.stop().await;
    engine_store.close().await;
    println!(
        "{connections} connections, commits + {commit_delay_ms} ms: {} messages/s",
        i64::from(n) * 1_000 / ms
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_heart_sends_all_with_many_connections_and_slow_commits() {
    for connections in [20, 200] {
        for (delay, n) in [(0, 3_000), (1, 2_000), (5, 1_000)] {
            let database = postroad_testkit::sqlite::database();
            beat(database.url(), connections, delay, n).await;
            if let Some(database) = postroad_testkit::postgres::database() {
                beat(database.url(), connections, delay, n).await;
            }
        }
    }
}
