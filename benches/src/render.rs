//! Messages that one core makes a second: rendered, built, signed.
//!
//! One thread, measured by its CPU time, so that what else the machine does counts less.

use crate::job::{Figures, Job, Measure, run as run_job};
use crate::message::{self, Maker, Signing, campaign, key_ring, row};
use crate::options::Options;
use crate::report::{Bar, Line, Table};
use crate::stopwatch::Wall;
use anyhow::{Result, anyhow};
use postroad_delivery::Compose as _;
use postroad_model::Clock as _;
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What is made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Render {
    /// How many messages.
    pub n: u64,
    /// How far.
    pub stage: Stage,
    /// Where the keys are.
    pub keys: PathBuf,
}

/// How far messages are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Rendered and built: tokens, templates, header fields, MIME.
    Built,
    /// And ready for the wire: hashed, signed, MAIL FROM made.
    Ready(Signing),
}

/// Rows that are in memory.
const ROWS: u64 = 1_000;

/// Makes all of them.
pub fn run(job: &Render) -> Result<Figures> {
    let signing = match job.stage {
        Stage::Built => Signing::None,
        Stage::Ready(signing) => signing,
    };
    let relay = message::relay(SocketAddr::from(([127, 0, 0, 1], 25)), 1);
    let maker = Maker::new(&campaign(), &relay, key_ring(&job.keys, signing)?)?;
    let rows: Vec<_> = (0..ROWS.min(job.n)).map(row).collect();
    let now = Wall.now();
    let measure = Measure::start();
    for (_, row) in (0..job.n).zip(rows.iter().cycle()) {
        match job.stage {
            Stage::Built => {
                let made = maker.unsigned(row, now).map_err(|e| anyhow!("{e:?}"))?;
                black_box(made.bytes.len());
            }
            Stage::Ready(_) => {
                let made = maker.compose(row, &relay, now).map_err(|e| anyhow!("{e:?}"))?;
                black_box(made.message.len());
            }
        }
    }
    Ok(measure.end(job.n))
}

const BAR: f64 = 40_000.0;

/// The benchmark.
pub fn bench(options: &Options, keys: &Path) -> Result<Table> {
    let n = options.n.unwrap_or(200_000);
    let mut table = Table::new("render: an 8 KB newsletter, one core", "messages/s of CPU time");
    for (name, stage, share) in [
        ("rendered and built", Stage::Built, 1),
        ("and hashed, unsigned", Stage::Ready(Signing::None), 1),
        ("and signed, ed25519", Stage::Ready(Signing::Ed25519), 2),
        ("and signed, rsa-2048", Stage::Ready(Signing::Rsa), 10),
    ] {
        let job = || Job::Render(Render { n: n / share, stage, keys: keys.into() });
        run_job(&job())?;
        let mut runs = Vec::new();
        for _ in 0..options.rounds {
            let mut figures = run_job(&job())?;
            figures.seconds = figures.cpu_seconds;
            runs.push(figures);
        }
        let line = Line::of(name, &runs);
        if stage == Stage::Built {
            table.check(Bar::at_least("render + MIME a core, messages/s", line.rate, BAR));
        }
        table.push(line);
    }
    Ok(table)
}
