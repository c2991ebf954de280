//! Imports of generated CSV: rows a second, and the memory that it takes.

use crate::database::{Engine, open};
use crate::job::{Figures, Job, Measure, run as run_job, runtime};
use crate::message;
use crate::options::Options;
use crate::report::{Bar, Line, Table, median};
use crate::stopwatch::Wall;
use anyhow::{Result, ensure};
use postroad_import::{ImportOptions, Input, MissingList, import_contacts};
use postroad_model::rank::mix;
use postroad_store::Store;
use postroad_testkit::{postgres, sqlite};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// What is imported.
#[derive(Debug, Serialize, Deserialize)]
pub struct Import {
    /// An empty database.
    pub url: String,
    /// The file.
    pub file: PathBuf,
    /// Its rows.
    pub n: u64,
}

/// Writes people as rows of 6 columns.
pub fn generate(path: &Path, n: u64) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "email,name,first_name,city,plan,visits")?;
    for i in 0..n {
        let (name, attributes) = message::person(i);
        let word = |name: &str| attributes.get(name).and_then(|v| v.as_str()).unwrap_or_default();
        let (first, city, plan) = (word("first_name"), word("city"), word("plan"));
        writeln!(out, "{},{name},{first},{city},{plan},{}", message::address(i), mix(i) % 90)?;
    }
    out.flush()?;
    Ok(())
}

/// One import.
pub fn run(job: &Import) -> Result<Figures> {
    runtime()?.block_on(async {
        let store = open(&job.url, 0).await?;
        let measure = Measure::start();
        import(&store, &job.file, job.n).await?;
        let figures = measure.end(job.n);
        store.close().await;
        Ok(figures)
    })
}

/// Imports a generated file into the list `all`; every row must be new.
pub async fn import(store: &Store, file: &Path, n: u64) -> Result<()> {
    let options =
        ImportOptions { missing_list: MissingList::Create, ..ImportOptions::to_list("all") };
    let input = Input::File(file.to_owned());
    let report = import_contacts(input, &options, store, &Wall, &mut |_| {}).await?;
    ensure!(report.tally.added == n, "{} of {n} rows were added", report.tally.added);
    Ok(())
}

const BAR_SQLITE: f64 = 80_000.0;
const BAR_POSTGRES: f64 = 30_000.0;
const BAR_MB: f64 = 150.0;

/// The benchmark.
pub fn bench(options: &Options) -> Result<Table> {
    let n = options.n.unwrap_or(1_000_000);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("people.csv");
    generate(&file, n)?;
    let mut table = Table::new(format!("import: {n} rows of 6 columns"), "rows/s");
    for (engine, name, bar) in
        [(Engine::Sqlite, "SQLite", BAR_SQLITE), (Engine::Postgres, "PostgreSQL", BAR_POSTGRES)]
    {
        let mut runs = Vec::new();
        for _ in 0..options.rounds {
            let figures = match engine {
                Engine::Sqlite => {
                    let database = sqlite::database();
                    let url = database.url().to_owned();
                    run_job(&Job::Import(Import { url, file: file.clone(), n }))?
                }
                Engine::Postgres => {
                    let Some(database) = postgres::database() else { break };
                    let url = database.url().to_owned();
                    run_job(&Job::Import(Import { url, file: file.clone(), n }))?
                }
            };
            runs.push(figures);
        }
        if runs.is_empty() {
            table.skipped(name, "no PostgreSQL here");
            continue;
        }
        let line = Line::of(name, &runs);
        table.check(Bar::at_least(format!("import into {name}, rows/s"), line.rate, bar));
        let peak = median(runs.iter().map(|r| r.peak_mb));
        table.check(Bar::at_most(format!("memory of the import into {name}, MB"), peak, BAR_MB));
        table.push(line);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generated_row_is_imported() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people.csv");
        generate(&file, 3_000).unwrap();
        let database = sqlite::database();
        let figures = run(&Import { url: database.url().into(), file, n: 3_000 }).unwrap();
        assert_eq!(figures.n, 3_000);
        assert!(figures.rate() > 0.0);
    }
}
