//! What this crate needs of the configuration, in model's types; `cli` fills it.

use crate::{Error, Result};
use postroad_model::Domain;
use postroad_model::relay::{Pool, Relay, SendingDomain};
use postroad_model::seed::Seed;
use std::time::Duration;

/// Relays, pools, domains and the engine's habits that concern campaigns.
#[derive(Clone, Debug)]
pub struct Setup {
    /// All relays.
    pub relays: Vec<Relay>,
    /// All pools.
    pub pools: Vec<Pool>,
    /// All sending domains.
    pub domains: Vec<SendingDomain>,
    /// All seeds.
    pub seeds: Vec<Seed>,
    /// Where recipients reach the public pages, without a slash at its end.
    pub public_url: Option<String>,
    /// How long a campaign's rows are tried after its start, unless it says.
    pub expire_after: Duration,
    /// How long evidence is awaited for unknown rows.
    pub unknown_wait: Duration,
    /// Below this inbox rate a relay is braked for a mailbox provider, in campaigns without a canary; `None`: never.
    pub min_inbox: Option<f64>,
}

impl Setup {
    /// The relays of a pool, in its order.
    ///
    /// # Errors
    /// `UnknownPool` with the names that exist.
    pub fn pool_relays(&self, name: &str) -> Result<Vec<&Relay>> {
        let pool = self.pools.iter().find(|p| p.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.pools.iter().map(|p| p.name.as_str()).collect();
            Error::UnknownPool { name: name.to_owned(), known: known.join(", ") }
        })?;
        Ok(pool.relays.iter().filter_map(|r| self.relay(r)).collect())
    }

    /// A relay by its name.
    #[must_use]
    pub fn relay(&self, name: &str) -> Option<&Relay> {
        self.relays.iter().find(|r| r.name == name)
    }

    /// The sending domain that a From domain belongs to: itself, or its nearest configured parent.
    #[must_use]
    pub fn domain_of(&self, domain: &Domain) -> Option<&SendingDomain> {
        self.domains
            .iter()
            .filter(|d| domain.is_within(&d.name))
            .max_by_key(|d| d.name.as_str().len())
    }

    /// True when messages can carry one-click links.
    #[must_use]
    pub fn has_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}
