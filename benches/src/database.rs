//! Databases that hold a campaign, frozen and running, of which nothing is sent yet.
//!
//! Each is filled once for a number of recipients and then copied for each run: as a file on SQLite, as a template on
//! PostgreSQL.

use crate::job::{Figures, Job, Measure, run, runtime};
use crate::stopwatch::Wall;
use crate::{import, message};
use anyhow::{Context as _, Result};
use postroad_campaign::{Freeze, freeze};
use postroad_model::Clock as _;
use postroad_model::campaign::{CampaignAct, CampaignKind};
use postroad_store::{Durability, NewCampaign, Store, StoreSettings};
use postroad_testkit::{builders, postgres};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Name of the campaign.
pub const CAMPAIGN: &str = "bench";

/// What to fill.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prepare {
    /// The database.
    pub url: String,
    /// Recipients.
    pub n: u64,
}

/// Opens a store; commits can be made slow.
pub async fn open(url: &str, commit_delay_ms: u64) -> Result<Store> {
    let durability = match commit_delay_ms {
        0 => Durability::Native,
        ms => Durability::Delayed(Duration::from_millis(ms)),
    };
    let keys = builders::token_keys();
    Ok(Store::open(StoreSettings { url: url.into(), keys, connections: 6, durability }).await?)
}

/// Fills a database; the figures are those of the freeze.
pub fn prepare(job: &Prepare) -> Result<Figures> {
    runtime()?.block_on(async {
        let store = open(&job.url, 0).await?;
        let now = Wall.now();
        store.register_pools(&["newsletter".into()]).await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("people.csv");
        import::generate(&file, job.n)?;
        import::import(&store, &file, job.n).await?;
        let new = NewCampaign {
            name: CAMPAIGN.into(),
            kind: CampaignKind::Bulk,
            settings: message::settings(),
            seed: 7,
        };
        let acts = [CampaignAct::Schedule { at: now }];
        let saved = store.save_campaign(&new, &acts, now).await?;
        let node = store.register_node("bench-setup", "0", now).await?;
        let measure = Measure::start();
        let frozen = freeze(&store, &saved.campaign, node, &|| Wall.now()).await?;
        let figures = measure.end(job.n);
        anyhow::ensure!(matches!(frozen, Freeze::Done { .. }), "the audience is not frozen");
        store.apply_campaign_act(saved.campaign.id, &CampaignAct::Start, now).await?;
        store.close().await;
        Ok(figures)
    })
}

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// In the process.
    Sqlite,
    /// A server on this machine.
    Postgres,
}

/// The databases of one run of the benchmarks.
pub struct Databases {
    folder: TempDir,
    filled: BTreeMap<(Engine, u64), Filled>,
    copies: u32,
}

enum Filled {
    File(PathBuf),
    Template(postgres::Database),
}

/// A copy for one run; gone with the guard.
pub struct Copy {
    /// Its address.
    pub url: String,
    what: What,
}

enum What {
    File(PathBuf),
    Database { admin: postgres::Database, name: String },
}

impl Drop for Copy {
    fn drop(&mut self) {
        match &self.what {
            // What stays goes with the folder.
            What::File(path) => {
                for end in ["", "-wal", "-shm"] {
                    let mut name = path.clone().into_os_string();
                    name.push(end);
                    let _ = std::fs::remove_file(name);
                }
            }
            What::Database { admin, name } => {
                let _said = admin.query(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            }
        }
    }
}

impl Databases {
    /// None yet.
    pub fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, filled: BTreeMap::new(), copies: 0 })
    }

    /// A fresh copy of a filled database; `None` where there is no PostgreSQL.
    pub fn copy(&mut self, engine: Engine, n: u64) -> Result<Option<Copy>> {
        if !self.filled.contains_key(&(engine, n)) {
            let Some(filled) = self.fill(engine, n)? else { return Ok(None) };
            self.filled.insert((engine, n), filled);
        }
        self.copies += 1;
        let number = self.copies;
        match self.filled.get(&(engine, n)).context("it was filled just now")? {
            Filled::File(path) => {
                let copy = self.folder.path().join(format!("copy-{number}.db"));
                std::fs::copy(path, &copy)?;
                let url = format!("sqlite:{}", copy.display());
                Ok(Some(Copy { url, what: What::File(copy) }))
            }
            Filled::Template(template) => {
                let Some(admin) = postgres::database() else { return Ok(None) };
                let from = name_of(template.url())?;
                let name = format!("{from}_copy_{number}");
                let _said = admin.query(&format!("CREATE DATABASE {name} TEMPLATE {from}"));
                let url = template.url().replace(&format!("/{from}?"), &format!("/{name}?"));
                Ok(Some(Copy { url, what: What::Database { admin, name } }))
            }
        }
    }

    fn fill(&self, engine: Engine, n: u64) -> Result<Option<Filled>> {
        let (url, filled) = match engine {
            Engine::Sqlite => {
                let path = self.folder.path().join(format!("filled-{n}.db"));
                (format!("sqlite:{}", path.display()), Filled::File(path))
            }
            Engine::Postgres => {
                let Some(database) = postgres::database() else { return Ok(None) };
                (database.url().to_owned(), Filled::Template(database))
            }
        };
        run(&Job::Prepare(Prepare { url, n }))?;
        Ok(Some(filled))
    }
}

/// The database's name in `postgres://user@host/NAME?...`.
fn name_of(url: &str) -> Result<&str> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let name = path.split_once('/').and_then(|(_, rest)| rest.split_once('?'));
    Ok(name.context("the test server's addresses have a name and options")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_database_is_read_off_its_address() {
        let url = "postgres://postgres@localhost/t1_2?host=%2Ftmp%2Fx";
        assert_eq!(name_of(url).unwrap(), "t1_2");
    }
}
