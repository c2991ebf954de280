//! Work that is measured runs in a process of its own: its CPU time and its memory are its own.
//!
//! The parent starts this program again as `postroad-bench job JSON` and reads one line of JSON. A sink lives until
//! its standard input ends, so none outlives the run, however that ends.

use crate::stopwatch::{Stopwatch, cpu_seconds, resident_mb};
use crate::{bare, bounces, database, import, render, scrape, sending, sink};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// What a child does.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// Our own sink, counting.
    Sink,
    /// The bare loop.
    Bare(bare::Bare),
    /// Fills a database with a campaign that is ready to be sent.
    Prepare(database::Prepare),
    /// The engine sends that campaign.
    Sending(sending::Sending),
    /// An import.
    Import(import::Import),
    /// Messages of one thread.
    Render(render::Render),
    /// Bounces read.
    Bounces(bounces::Bounces),
    /// Scrapes of metrics.
    Scrape(scrape::Scrape),
}

/// What a job measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Messages or rows.
    pub n: u64,
    /// Wall time of the part that counts.
    pub seconds: f64,
    /// CPU time of that part, in this process alone.
    pub cpu_seconds: f64,
    /// Resident memory at its highest, in MB.
    pub peak_mb: f64,
    /// Resident memory at even shares of the work, in MB.
    pub samples_mb: Vec<f64>,
    /// What each one took, where that counts, in milliseconds.
    pub times_ms: Vec<f64>,
}

impl Figures {
    /// Per second of wall time.
    pub fn rate(&self) -> f64 {
        self.n as f64 / self.seconds.max(1e-9)
    }

    /// CPU time for each, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / (self.n.max(1) as f64)
    }
}

/// A part that is being measured.
pub struct Measure {
    watch: Stopwatch,
    cpu: f64,
}

impl Measure {
    /// From now on.
    pub fn start() -> Self {
        Self { cpu: cpu_seconds(), watch: Stopwatch::start() }
    }

    /// Until now.
    pub fn end(&self, n: u64) -> Figures {
        Figures {
            n,
            seconds: self.watch.seconds(),
            cpu_seconds: cpu_seconds() - self.cpu,
            peak_mb: resident_mb("VmHWM"),
            samples_mb: Vec::new(),
            times_ms: Vec::new(),
        }
    }
}

/// The runtime that the program itself uses.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// In the child: does the job and writes its figures.
pub fn serve(job: &str) -> Result<()> {
    let figures = match serde_json::from_str(job).context("the job is no JSON of ours")? {
        Job::Sink => return sink::serve(),
        Job::Bare(job) => bare::run(&job)?,
        Job::Prepare(job) => database::prepare(&job)?,
        Job::Sending(job) => sending::run(&job)?,
        Job::Import(job) => import::run(&job)?,
        Job::Render(job) => render::run(&job)?,
        Job::Bounces(job) => bounces::run(&job)?,
        Job::Scrape(job) => scrape::run(&job)?,
    };
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &figures)?;
    writeln!(out)?;
    Ok(())
}

fn command(job: &Job) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("job").arg(serde_json::to_string(job)?).stdout(Stdio::piped());
    Ok(command)
}

/// In the parent: has a job done.
pub fn run(job: &Job) -> Result<Figures> {
    let output = command(job)?.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the process of {job:?} ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("the figures of {job:?}"))
}

/// Our own sink in its own process.
pub struct OwnSink {
    child: Child,
    address: SocketAddr,
}

impl OwnSink {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let mut child = command(&Job::Sink)?.stdin(Stdio::piped()).spawn()?;
        let out = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the sink said {line:?}"))?;
        Ok(Self { child, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for OwnSink {
    fn drop(&mut self) {
        // The end of its input ends it; what fails here is a sink that has ended already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
