//! `cargo xtask bench`: how fast and how large it is, as ratios taken in one run (docs/guide/speed.md).
//!
//! Each benchmark says what stands beside what. A share of the bare loop tells what the durable writes cost, whatever
//! the machine; the bare loop itself is held against Postfix's smtp-source. Everything that is measured runs in its own
//! process (`job`); sinks are on loopback. Nothing here is used by the program.

mod bare;
mod bench;
mod bounces;
mod contest;
mod database;
mod import;
mod job;
mod message;
mod options;
mod peers;
mod render;
mod report;
mod scrape;
mod sending;
mod sink;
mod stopwatch;

use anyhow::{Context as _, Result};
use options::{HELP, Options, What};
use report::Table;
use std::io::Write as _;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("job").is_some() {
        return job::serve(&arguments.next().context("a job is JSON")?);
    }
    let Some(options) = Options::parse(arguments)? else {
        return Ok(std::io::stdout().write_all(HELP.as_bytes())?);
    };
    let keys = tempfile::tempdir()?;
    message::make_keys(keys.path())?;
    let mut tables = Vec::new();
    for what in &options.what {
        let ring = bench::Ring::new(&options, keys.path())?;
        let made = match what {
            What::Ceiling => vec![bench::ceiling(&ring)?],
            What::Campaign => vec![bench::campaign(&ring)?, bench::latency(&ring)?],
            What::Peers => peers::bench(&ring)?,
            What::Import => vec![import::bench(&options)?],
            What::Render => vec![render::bench(&options, keys.path())?],
            What::Bounces => vec![bounces::bench(&options)?],
            What::Memory => vec![bench::memory(&ring)?],
            What::Scrape => vec![scrape::bench(&options)?],
        };
        for table in made {
            show(&table)?;
            tables.push(table);
        }
    }
    match &options.json {
        None => Ok(()),
        Some(path) if path.as_os_str() == "-" => {
            let mut out = std::io::stdout().lock();
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&tables)?)?)
        }
        Some(path) => {
            let file = std::fs::File::create(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            Ok(serde_json::to_writer_pretty(file, &tables)?)
        }
    }
}

fn show(table: &Table) -> Result<()> {
    let mut out = std::io::stdout().lock();
    Ok(writeln!(out, "{table}")?)
}
