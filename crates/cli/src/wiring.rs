//! From the configuration to what each crate wants to be given.
//!
//! Plain mapping, no decisions: a value is looked up in one place and handed over. The parts that run (engine, web,
//! sinks) are started by the commands.

pub mod asking;
pub mod composer;
pub mod credentials;
pub mod engine;
pub mod feedback;
pub mod observe;
pub mod placement;
pub mod supervise;
pub mod view;
pub mod ways;

use anyhow::{Context as _, Result};
use postroad_campaign::Setup;
use postroad_config::{Config, DatabaseUrl};
use postroad_model::limit::Limit;
use postroad_model::relay::Relay;
use postroad_model::token::TokenKeys;
use postroad_store::{Durability, StoreSettings};
use std::collections::BTreeMap;

/// Connections that one process keeps to PostgreSQL, or readers of a SQLite file.
const STORE_CONNECTIONS: u32 = 8;

/// How the database is opened.
pub fn store_settings(config: &Config) -> Result<StoreSettings> {
    let url = match &config.database {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose().to_owned(),
    };
    let keys = TokenKeys::derive(config.key.expose().as_bytes()).context("[secrets] key")?;
    Ok(StoreSettings { url, keys, connections: STORE_CONNECTIONS, durability: Durability::Native })
}

/// What `campaign` wants to know.
pub fn setup(config: &Config) -> Setup {
    Setup {
        relays: config.relays.clone(),
        pools: config.pools.clone(),
        domains: config.domains.clone(),
        seeds: config.seeds.iter().map(|s| s.planned.clone()).collect(),
        public_url: config.web.public_url.clone(),
        expire_after: config.engine.expire_after,
        unknown_wait: config.engine.unknown_wait,
        min_inbox: config.placement.min_inbox,
    }
}

/// Each limit scope once, with its limits; the configuration has checked that relays of a group agree.
pub fn limits_by_scope(relays: &[Relay]) -> BTreeMap<String, Vec<Limit>> {
    let mut scopes: BTreeMap<String, Vec<Limit>> = BTreeMap::new();
    for relay in relays {
        let limits = scopes.entry(relay.limit_scope()).or_default();
        for limit in &relay.limits {
            if !limits.contains(limit) {
                limits.push(limit.clone());
            }
        }
    }
    scopes
}
