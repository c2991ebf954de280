//! What can be said on the command line.

use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

/// The words of `--help`.
pub const HELP: &str = "\
cargo xtask bench [WHAT...] [options]

  ceiling    the bare loop beside smtp-source -d, and into our own sink
  campaign   campaigns with durable intents, as shares of the bare loop
  peers      nodemailer's pool, lettre's pool, Python's smtplib, the same message
  import     1,000,000 rows into SQLite and PostgreSQL
  render     messages that one core makes
  bounces    bounces that one core reads
  memory     resident memory while 1,000,000 are sent
  scrape     /metrics over a database of 10,000,000 recipients

Without WHAT: all of them.

  --n N            messages or rows, instead of what each takes
  --rounds N       measured runs of each; the median counts (3)
  --connections N  reused connections (20)
  --json FILE      write all tables as JSON there too; - is standard output
";

/// The benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The bare loop.
    Ceiling,
    /// Campaigns.
    Campaign,
    /// What a user would pick instead.
    Peers,
    /// Imports.
    Import,
    /// Messages of one core.
    Render,
    /// Bounces read.
    Bounces,
    /// Memory.
    Memory,
    /// Scrapes of metrics.
    Scrape,
}

impl What {
    const NAMES: [(&'static str, Self); 8] = [
        ("ceiling", Self::Ceiling),
        ("campaign", Self::Campaign),
        ("peers", Self::Peers),
        ("import", Self::Import),
        ("render", Self::Render),
        ("bounces", Self::Bounces),
        ("memory", Self::Memory),
        ("scrape", Self::Scrape),
    ];
}

/// The options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which benchmarks.
    pub what: Vec<What>,
    /// `--n`.
    pub n: Option<u64>,
    /// `--rounds`.
    pub rounds: u32,
    /// `--connections`.
    pub connections: u32,
    /// `--json`.
    pub json: Option<PathBuf>,
}

impl Options {
    /// Reads them; `None` when help is asked for.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options =
            Self { what: Vec::new(), n: None, rounds: 3, connections: 20, json: None };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "-h" | "--help" | "help" => return Ok(None),
                "--n" => options.n = Some(number(&value()?)?),
                "--rounds" => options.rounds = u32::try_from(number(&value()?)?)?,
                "--connections" => options.connections = u32::try_from(number(&value()?)?)?,
                "--json" => options.json = Some(value()?.into()),
                word => match What::NAMES.iter().find(|(name, _)| *name == word) {
                    Some((_, what)) => options.what.push(*what),
                    None => bail!("there is no benchmark or option {word:?}; see --help"),
                },
            }
        }
        if options.what.is_empty() {
            options.what = What::NAMES.iter().map(|(_, what)| *what).collect();
        }
        Ok(Some(options))
    }

    /// Messages of a run: `--n` or what it usually takes.
    pub fn messages(&self, usual: u64) -> u64 {
        self.n.unwrap_or(usual)
    }
}

/// `200000` or `200_000`, at least 1.
fn number(text: &str) -> Result<u64> {
    let number: u64 = text.replace(['_', ','], "").parse().with_context(|| format!("{text:?}"))?;
    if number == 0 {
        bail!("{text:?} is nothing to measure");
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_a_word_all_benchmarks_run() {
        let options = parse("--rounds 5 --n 200_000").unwrap().unwrap();
        assert_eq!(options.what.len(), What::NAMES.len());
        assert_eq!((options.rounds, options.n), (5, Some(200_000)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["fast", "--n", "--n 0", "--rounds many"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("render --help").unwrap(), None);
    }
}
