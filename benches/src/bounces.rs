//! Mails that one core reads as bounces a second.
//!
//! One thread, measured by its CPU time. The mails are those of the reader's own tests, each in both line ends.

use crate::job::{Figures, Job, Measure, run as run_job};
use crate::options::Options;
use crate::report::{Bar, Line, Table};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// What is read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bounces {
    /// How many mails.
    pub n: u64,
}

/// The mails of the reader's tests.
fn mails() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../../crates/bounce/tests/mails/status.txt"),
        include_str!("../../crates/bounce/tests/mails/prose.txt"),
        include_str!("../../crates/bounce/tests/mails/providers.txt"),
        include_str!("../../crates/bounce/tests/mails/answers.txt"),
        include_str!("../../crates/bounce/tests/mails/ordinary.txt"),
    ];
    let cases = files.iter().flat_map(|file| file.split("\n=== ").skip(1));
    cases
        .flat_map(|case| {
            let lines: Vec<&str> =
                case.lines().skip(1).skip_while(|l| l.starts_with("=> ") || l.is_empty()).collect();
            [lines.join("\n").into_bytes(), lines.join("\r\n").into_bytes()]
        })
        .collect()
}

/// Reads all of them.
pub fn run(job: &Bounces) -> Result<Figures> {
    let mails = mails();
    black_box(postroad_bounce::read(&mails[0]));
    let measure = Measure::start();
    for (_, mail) in (0..job.n).zip(mails.iter().cycle()) {
        black_box(postroad_bounce::read(mail));
    }
    Ok(measure.end(job.n))
}

/// Under a millisecond each.
const BAR: f64 = 1_000.0;

/// The benchmark.
pub fn bench(options: &Options) -> Result<Table> {
    let n = options.n.unwrap_or(50_000);
    let mut table = Table::new("bounces: mails read, one core", "mails/s of CPU time");
    let job = || Job::Bounces(Bounces { n });
    run_job(&job())?;
    let mut runs = Vec::new();
    for _ in 0..options.rounds {
        let mut figures = run_job(&job())?;
        figures.seconds = figures.cpu_seconds;
        runs.push(figures);
    }
    let line = Line::of("read", &runs);
    table.check(Bar::at_least("bounces read a core, mails/s", line.rate, BAR));
    table.push(line);
    Ok(table)
}
