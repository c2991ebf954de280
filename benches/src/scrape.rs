//! A scrape of `/metrics` over a database of many recipients: how long the operator's Prometheus waits.
//!
//! The rows are made by SQL (`scrape.sql`), the exporter is the program's own, behind its own HTTP listener. A clock that
//! steps makes each scrape read the database anew, as if it were the first for seconds.

use crate::database::{Engine, Prepare, open};
use crate::job::{Figures, Job, run as run_job, runtime};
use crate::options::Options;
use crate::report::{Bar, Line, Table};
use crate::stopwatch::{Stopwatch, Wall, resident_mb};
use anyhow::{Result, ensure};
use postroad_metrics::Metrics;
use postroad_model::Clock as _;
use postroad_store::{Store, Takeover};
use postroad_testkit::{SimClock, builders, loopback, postgres, sqlite};
use postroad_web::{App, EngineStatus, Listeners, View};
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Scrapes of a filled database.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scrape {
    /// The database.
    pub url: String,
    /// How many scrapes.
    pub n: u64,
}

/// Scrapes of a round.
const SCRAPES: u64 = 40;
const RELAYS: [&str; 5] = ["relay-1", "relay-2", "relay-3", "relay-4", "relay-5"];
/// Longer than the exporter keeps what it read.
const STEP: Duration = Duration::from_secs(15);
/// Campaign that `prepare` makes, before the SQL makes more.
const FIRST: u64 = 100;

/// In the child: serves the database and scrapes it.
pub fn run(job: &Scrape) -> Result<Figures> {
    runtime()?.block_on(async {
        let store = Arc::new(open(&job.url, 0).await?);
        let clock = SimClock::new(Wall.now());
        lanes(&store, &clock).await?;
        let (_engine, status) = watch::channel(EngineStatus::default());
        let metrics = Arc::new(Metrics::new("bench"));
        let view = View::new(async |_| None);
        let app = App::new(store.clone(), metrics, Arc::new(clock.clone()), status, view);
        let listeners = Listeners::bind(None, loopback::address()).await?;
        let address = listeners.admin_address();
        let served = tokio::spawn(listeners.serve(app, std::future::pending()));
        let scraped = tokio::task::spawn_blocking({
            let n = job.n;
            move || scrape(address, &clock, n)
        });
        let figures = scraped.await??;
        served.abort();
        store.close().await;
        Ok(figures)
    })
}

/// Relays with two limits and a lane each.
async fn lanes(store: &Store, clock: &SimClock) -> Result<()> {
    let now = clock.now();
    let node = store.register_node("bench", "0", now).await?;
    let ids = store.register_relays(&RELAYS.map(str::to_owned)).await?;
    for (name, id) in ids {
        let scope = format!("relay:{name}");
        store
            .sync_limits(&scope, &[builders::per_day(50_000), builders::per_second(14)], now)
            .await?;
        let times = (now, now.plus_ms(30_000));
        let taken = store.take_lanes(node, &scope, &[id], times, Takeover::Now).await?;
        ensure!(taken.is_some(), "the lane of {name} is held by another");
    }
    Ok(())
}

fn scrape(address: SocketAddr, clock: &SimClock, n: u64) -> Result<Figures> {
    let mut figures = Figures { n, ..Figures::default() };
    for _ in 0..n {
        clock.advance(STEP);
        let watch = Stopwatch::start();
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        figures.times_ms.push(watch.seconds() * 1e3);
        let whole = ["bench-10", "relay-5", "postroad_inbox_ratio", "postroad_campaign_feedback"];
        ensure!(whole.iter().all(|word| page.contains(word)), "a part is missing: {page}");
    }
    figures.seconds = figures.times_ms.iter().sum::<f64>() / 1e3;
    figures.peak_mb = resident_mb("VmHWM");
    Ok(figures)
}

/// The benchmark.
pub fn bench(options: &Options) -> Result<Table> {
    let n = options.messages(10_000_000);
    let sql = include_str!("scrape.sql").replace("{n}", &n.to_string());
    let prepare = |url: &str| run_job(&Job::Prepare(Prepare { url: url.to_owned(), n: FIRST }));
    let mut table =
        Table::new(format!("/metrics over {n} recipients of ten campaigns"), "scrapes/s");
    let (file, server) = (sqlite::database(), postgres::database());
    let at = |engine| match engine {
        Engine::Sqlite => Some(file.url().to_owned()),
        Engine::Postgres => server.as_ref().map(|s| s.url().to_owned()),
    };
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let name = format!("{engine:?}");
        let Some(url) = at(engine) else {
            table.skipped(&name, "no PostgreSQL here");
            continue;
        };
        prepare(&url)?;
        let filled = match engine {
            Engine::Sqlite => file.query(&sql),
            // As its autovacuum leaves it a while after.
            Engine::Postgres => server.as_ref().map(|s| s.query(&sql) + &s.query("VACUUM ANALYZE")),
        };
        if filled.is_none() {
            table.skipped(&name, "no SQLite shell here");
            continue;
        }
        let job = Scrape { url, n: SCRAPES * u64::from(options.rounds) };
        let figures = run_job(&Job::Scrape(job))?;
        for (share, what) in [(50, "the median"), (95, "95 of 100")] {
            let ms = percentile(&figures.times_ms, share);
            table.check(Bar::at_most(format!("{name}: {what} of the scrapes, ms"), ms, 50.0));
        }
        table.push(Line::of(name, &[figures]));
    }
    Ok(table)
}

/// The value that so many of a hundred do not pass.
fn percentile(values: &[f64], share: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = (values.len() * share).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=40).rev().map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95)), (20.0, 38.0));
        assert_eq!(percentile(&[], 95), 0.0);
    }

    #[test]
    fn a_filled_database_shows_all_of_its_campaigns() {
        let file = sqlite::database();
        crate::database::prepare(&Prepare { url: file.url().into(), n: FIRST }).unwrap();
        let sql = include_str!("scrape.sql").replace("{n}", "2000");
        let Some(said) = file.query(&sql) else { return };
        assert_eq!(said, "");
        let figures = run(&Scrape { url: file.url().into(), n: 2 }).unwrap();
        assert_eq!(figures.times_ms.len(), 2);
    }
}
