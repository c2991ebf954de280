//! The benchmarks that send: who runs beside whom, and what is promised.

use crate::bare::Bare;
use crate::contest::{Contestant, Run, hold};
use crate::database::{Databases, Engine};
use crate::job::{Figures, Job, OwnSink, run};
use crate::message::Signing;
use crate::options::Options;
use crate::report::{Bar, Table};
use crate::sending::Sending;
use crate::sink::Sink;
use crate::stopwatch::Stopwatch;
use anyhow::{Result, ensure};
use postroad_testkit::smtp_source;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;

const BARE: &str = "bare loop, unsigned";
const SOURCE: &str = "smtp-source -d";

/// What all of them share.
pub struct Ring<'a> {
    /// The command line.
    pub options: &'a Options,
    /// The folder with the keys.
    pub keys: &'a Path,
    /// The receiving end.
    pub sink: Sink,
    databases: RefCell<Databases>,
}

impl<'a> Ring<'a> {
    /// With a sink of its own.
    pub fn new(options: &'a Options, keys: &'a Path) -> Result<Self> {
        let databases = RefCell::new(Databases::new()?);
        Ok(Self { options, keys, sink: Sink::start()?, databases })
    }

    /// The bare loop.
    pub fn bare(&self, signing: Signing, sink: SocketAddr) -> Run<'_> {
        let connections = self.options.connections;
        Box::new(move |n| {
            let keys = self.keys.to_owned();
            run(&Job::Bare(Bare { sink, n, connections, signing, keys })).map(Ok)
        })
    }

    fn source(&self) -> Run<'_> {
        let connections = self.options.connections.to_string();
        let address = self.sink.address();
        Box::new(move |n| {
            let n_text = n.to_string();
            let watch = Stopwatch::start();
            let ran = smtp_source::run(
                address,
                &[
                    "-d",
                    "-m",
                    &n_text,
                    "-s",
                    &connections,
                    "-l",
                    MESSAGE_OCTETS,
                    "-f",
                    "a@example.com",
                    "-t",
                    "b@example.org",
                ],
            );
            let Some(output) = ran else { return Ok(Err("Postfix is not installed".into())) };
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(Ok(Figures { n, seconds: watch.seconds(), ..Figures::default() }))
        })
    }

    /// A campaign.
    pub fn campaign(&self, case: Case) -> Run<'_> {
        Box::new(move |n| {
            let copy = self.databases.borrow_mut().copy(case.engine, n)?;
            let Some(copy) = copy else { return Ok(Err("no PostgreSQL here".into())) };
            run(&Job::Sending(Sending {
                url: copy.url.clone(),
                sink: self.sink.address(),
                n,
                connections: case.connections,
                signing: case.signing,
                keys: self.keys.to_owned(),
                commit_delay_ms: case.commit_delay_ms,
            }))
            .map(Ok)
        })
    }
}

/// As long as ours.
const MESSAGE_OCTETS: &str = "8500";

/// One kind of campaign.
#[derive(Clone, Copy)]
pub struct Case {
    /// On which engine.
    pub engine: Engine,
    /// Signed how.
    pub signing: Signing,
    /// Over how many connections.
    pub connections: u32,
    /// What each commit waits.
    pub commit_delay_ms: u64,
}

impl Case {
    /// Unsigned on SQLite.
    pub fn plain(connections: u32) -> Self {
        let (engine, signing) = (Engine::Sqlite, Signing::None);
        Self { engine, signing, connections, commit_delay_ms: 0 }
    }
}

fn contestant<'a>(name: impl Into<String>, n: u64, run: Run<'a>) -> Contestant<'a> {
    Contestant { name: name.into(), n, run }
}

/// The bare loop beside smtp-source.
pub fn ceiling(ring: &Ring<'_>) -> Result<Table> {
    let n = ring.options.messages(100_000);
    let own = OwnSink::start()?;
    let here = ring.sink.address();
    let mut all = vec![
        contestant(SOURCE, n, ring.source()),
        contestant(BARE, n, ring.bare(Signing::None, here)),
    ];
    for (signing, share) in [(Signing::Ed25519, 2), (Signing::Rsa, 10)] {
        let name = format!("bare loop, {}", signing.name());
        all.push(contestant(name, (n / share).max(1), ring.bare(signing, here)));
    }
    let name = format!("{BARE}, into our own sink");
    all.push(contestant(name, n, ring.bare(Signing::None, own.address())));
    let standings = hold(ring.options.rounds, all)?;
    let connections = ring.options.connections;
    let title = format!("ceiling: {connections} reused connections into {}", ring.sink.name());
    let mut table = Table::new(title, "messages/s");
    standings.fill(&mut table, |_| Some(SOURCE.into()));
    if let Some(ratio) = standings.ratio(BARE, SOURCE) {
        table.check(Bar::at_least("the bare loop as a share of smtp-source -d", ratio, 0.7));
    }
    Ok(table)
}

/// Campaigns as shares of the bare loop.
pub fn campaign(ring: &Ring<'_>) -> Result<Table> {
    let n = ring.options.messages(200_000);
    let signed = (n / 10).max(1);
    let here = ring.sink.address();
    let plain = Case::plain(ring.options.connections);
    let bare_rsa = "bare loop, rsa-2048";
    let [sqlite, postgres, rsa] =
        ["campaign, SQLite", "campaign, PostgreSQL", "campaign, SQLite, rsa-2048"];
    let all = vec![
        contestant(SOURCE, n, ring.source()),
        contestant(BARE, n, ring.bare(Signing::None, here)),
        contestant(sqlite, n, ring.campaign(plain)),
        contestant(postgres, n, ring.campaign(Case { engine: Engine::Postgres, ..plain })),
        contestant(bare_rsa, signed, ring.bare(Signing::Rsa, here)),
        contestant(rsa, signed, ring.campaign(Case { signing: Signing::Rsa, ..plain })),
    ];
    let standings = hold(ring.options.rounds, all)?;
    let connections = ring.options.connections;
    let title = format!("campaign: {connections} reused connections into {}", ring.sink.name());
    let mut table = Table::new(title, "messages/s");
    standings.fill(&mut table, |name| {
        Some(if name.contains("rsa") { bare_rsa } else { BARE }.to_owned())
    });
    for (name, to, bar) in
        [(sqlite, BARE, 0.5), (postgres, BARE, 0.25), (rsa, bare_rsa, 0.85), (BARE, SOURCE, 0.7)]
    {
        if let Some(ratio) = standings.ratio(name, to) {
            table.check(Bar::at_least(format!("{name}, as a share of {to}"), ratio, bar));
        }
    }
    Ok(table)
}

/// What slow commits cost, and what more connections bring then.
pub fn latency(ring: &Ring<'_>) -> Result<Table> {
    let n = ring.options.messages(200_000).div_ceil(10);
    let mut all = vec![contestant(BARE, n, ring.bare(Signing::None, ring.sink.address()))];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for connections in [20, 200] {
            for commit_delay_ms in [0, 1, 5] {
                let name = format!(
                    "{engine:?}, {connections} connections, commits + {commit_delay_ms} ms"
                );
                let case =
                    Case { engine, connections, commit_delay_ms, ..Case::plain(connections) };
                all.push(contestant(name, n, ring.campaign(case)));
            }
        }
    }
    let standings = hold(ring.options.rounds, all)?;
    let mut table = Table::new("campaign with slow commits, unsigned (no bar)", "messages/s");
    standings.fill(&mut table, |_| Some(BARE.into()));
    Ok(table)
}

/// Memory while many are sent.
pub fn memory(ring: &Ring<'_>) -> Result<Table> {
    let n = ring.options.messages(1_000_000);
    let mut sends = ring.campaign(Case::plain(ring.options.connections));
    let mut table = Table::new(format!("memory: {n} sent, SQLite"), "messages/s");
    let Ok(figures) = sends(n)? else { return Ok(table) };
    let samples = &figures.samples_mb;
    let highest = |from: usize, to: usize| {
        let all = samples.get(samples.len() * from / 10..samples.len() * to / 10);
        all.unwrap_or_default().iter().copied().fold(0.0, f64::max)
    };
    let (early, late) = (highest(1, 4), highest(7, 10));
    table.check(Bar::at_most("resident at its highest, MB", figures.peak_mb, 120.0));
    if early > 0.0 {
        let growth = late / early;
        table.check(Bar::at_most("the last third over the second tenth to fourth", growth, 1.1));
    }
    table.push(crate::report::Line::of("campaign, SQLite", &[figures]));
    Ok(table)
}
