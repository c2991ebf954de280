//! What every command starts from: output, clock, the configuration's file, the open database.
//!
//! Opened lazily: a command that needs no database touches none.

use crate::args::Global;
use crate::clock::SystemClock;
use crate::exit::{Exit, Fault};
use crate::output::Output;
use crate::{environment, logging, wiring};
use anyhow::Result;
use postroad_campaign::Setup;
use postroad_config::Config;
use postroad_model::{Clock, PoolId, RelayId, Timestamp};
use postroad_store::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One run of the program.
#[derive(Clone, Debug)]
pub struct App {
    pub output: Output,
    pub global: Global,
    pub clock: Arc<SystemClock>,
}

/// How much a command says into the log by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Warnings only.
    Briefly,
    /// As `[log]` says.
    Long,
}

impl App {
    pub fn new(global: Global, output: Output) -> Self {
        Self { output, global, clock: Arc::new(SystemClock::start()) }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The configuration's file: `--config` or POSTROAD_CONFIG, ./postroad.toml, /etc/postroad/postroad.toml.
    pub fn config_path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.global.config {
            return Ok(path.clone());
        }
        let usual = [Path::new("postroad.toml"), Path::new("/etc/postroad/postroad.toml")];
        match usual.iter().find(|p| p.exists()) {
            Some(path) => Ok(path.to_path_buf()),
            None => Err(Fault::new(
                Exit::Config,
                "there is no postroad.toml here and none in /etc/postroad; `postroad init` writes one, and --config or \
                 POSTROAD_CONFIG names another place",
            )
            .into()),
        }
    }

    /// Reads and checks the configuration, and the log begins. Its warnings are said by what runs long; short commands
    /// leave them to `config check` and `doctor`.
    pub fn config(&self, runs: Runs) -> Result<Config> {
        let config = self.load()?;
        let log = match runs {
            Runs::Long => Some(config.log),
            Runs::Briefly => None,
        };
        logging::start(&self.global, log);
        if runs == Runs::Long {
            config.warnings.iter().for_each(|warning| self.output.warn(warning));
        }
        Ok(config)
    }

    /// Reads and checks the configuration, and says nothing.
    pub fn load(&self) -> Result<Config> {
        Ok(Config::load(&self.config_path()?, &environment::variable)?)
    }

    /// Configuration and database.
    pub async fn open(&self, runs: Runs) -> Result<Opened> {
        self.open_with(self.config(runs)?).await
    }

    /// The database of a configuration that was read.
    pub async fn open_with(&self, config: Config) -> Result<Opened> {
        let store = Arc::new(Store::open(wiring::store_settings(&config)?).await?);
        if let Some(time) = store.database_time().await? {
            self.clock.follow(time);
        }
        let setup = wiring::setup(&config);
        Ok(Opened { config, store, setup })
    }
}

/// Configuration and database of one command.
#[derive(Clone)]
pub struct Opened {
    pub config: Config,
    pub store: Arc<Store>,
    pub setup: Setup,
}

/// The ids that the database gave to the configuration's names.
#[derive(Clone, Debug)]
pub struct Registry {
    pub relays: BTreeMap<String, RelayId>,
    pub pools: BTreeMap<String, PoolId>,
}

impl Opened {
    /// The folder that the configuration lies in; campaigns, keys and sinks' records lie beside it.
    pub fn folder(&self) -> PathBuf {
        folder_of(&self.config)
    }

    /// Makes relays, pools and limits known to the database, as the configuration has them now.
    pub async fn register(&self, now: Timestamp) -> Result<Registry> {
        let relays: Vec<String> = self.config.relays.iter().map(|r| r.name.clone()).collect();
        let pools: Vec<String> = self.config.pools.iter().map(|p| p.name.clone()).collect();
        let relays = self.store.register_relays(&relays).await?;
        let pools = self.store.register_pools(&pools).await?;
        for (scope, limits) in wiring::limits_by_scope(&self.config.relays) {
            self.store.sync_limits(&scope, &limits, now).await?;
        }
        Ok(Registry { relays, pools })
    }

    /// Folds the WAL into the file.
    pub async fn close(self) {
        self.store.close().await;
    }
}

/// The folder that a configuration lies in.
pub fn folder_of(config: &Config) -> PathBuf {
    match config.path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
