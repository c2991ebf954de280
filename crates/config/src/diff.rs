//! What a changed configuration changes: for `reload`, which takes limits over without a restart.
//!
//! Pure comparison of two checked configurations. It says what differs; what to do about it is the caller's part.

use crate::Config;
use postroad_model::limit::Limit;
use postroad_model::relay::{Relay, SendingDomain};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One limit that came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitChange {
    /// Its scope, `relay:NAME` or `group:NAME`.
    pub scope: String,
    /// Its name in the scope.
    pub name: String,
    /// As it was; absent: it is new.
    pub before: Option<Limit>,
    /// As it is; absent: it is gone.
    pub after: Option<Limit>,
}

/// The difference of two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Limits, in the order of scope and name.
    pub limits: Vec<LimitChange>,
    /// Relays that are new.
    pub relays_added: Vec<String>,
    /// Relays that are gone.
    pub relays_removed: Vec<String>,
    /// Relays of which anything but the limits changed: their connections must be opened anew.
    pub relays_changed: Vec<String>,
    /// Pools that came, went or changed.
    pub pools: Vec<String>,
    /// Sending domains that came, went or changed.
    pub domains: Vec<String>,
    /// True when `[engine]` changed.
    pub engine: bool,
    /// Keys that only a restart takes over.
    pub needs_restart: Vec<&'static str>,
}

impl Changes {
    /// True when nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a running engine takes over at once, a line for each limit.
    #[must_use]
    pub fn at_once(&self) -> Vec<String> {
        let of_new = |change: &&LimitChange| {
            let relay = change.scope.strip_prefix("relay:").unwrap_or_default();
            !self.relays_added.iter().chain(&self.relays_removed).any(|name| name == relay)
        };
        self.limits.iter().filter(of_new).map(ToString::to_string).collect()
    }

    /// What only a start takes over, as keys of the file: `web.admin_listen`, `relay ses-1`.
    #[must_use]
    pub fn at_start(&self) -> Vec<String> {
        let relays = [&self.relays_added, &self.relays_removed, &self.relays_changed];
        let relays = relays.into_iter().flatten().map(|name| format!("relay {name}"));
        let pools = self.pools.iter().map(|name| format!("pool {name}"));
        let domains = self.domains.iter().map(|name| format!("domain {name}"));
        let mut keys: Vec<String> = self.needs_restart.iter().map(|&key| key.to_owned()).collect();
        keys.extend(self.engine.then(|| "engine".to_owned()));
        keys.extend(relays.chain(pools).chain(domains));
        keys.sort_unstable();
        keys
    }
}

impl fmt::Display for LimitChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {} of {}: ", self.name, self.scope)?;
        let words = |limit: &Limit| format!("{} in {}", limit.amount, limit.window);
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}, was {}", words(after), words(before)),
            (None, Some(after)) => write!(f, "{}, is new", words(after)),
            (Some(before), None) => write!(f, "is gone, was {}", words(before)),
            (None, None) => f.write_str("is gone"),
        }
    }
}

impl Config {
    /// What differs from `self` in a newer configuration.
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Changes {
        let relay_name = |r: &Relay| r.name.clone();
        let (old, new) = (by_name(&self.relays, relay_name), by_name(&newer.relays, relay_name));
        let only = |a: &BTreeMap<String, &Relay>, b: &BTreeMap<String, &Relay>| {
            a.keys().filter(|k| !b.contains_key(*k)).cloned().collect()
        };
        let domain_name = |d: &SendingDomain| d.name.as_str().to_owned();
        Changes {
            limits: limit_changes(self, newer),
            relays_added: only(&new, &old),
            relays_removed: only(&old, &new),
            relays_changed: old
                .iter()
                .filter(|(name, relay)| {
                    new.get(*name).is_some_and(|n| without_limits(n) != without_limits(relay))
                })
                .map(|(name, _)| name.clone())
                .collect(),
            pools: changed(&self.pools, &newer.pools, |p| p.name.clone()),
            domains: changed(&self.domains, &newer.domains, domain_name),
            engine: self.engine != newer.engine,
            needs_restart: needs_restart(self, newer),
        }
    }
}

fn by_name<T>(list: &[T], name: impl Fn(&T) -> String) -> BTreeMap<String, &T> {
    list.iter().map(|item| (name(item), item)).collect()
}

fn changed<T: PartialEq>(old: &[T], new: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    let (old, new) = (by_name(old, &name), by_name(new, &name));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|n| old.get(*n) != new.get(*n)).cloned().collect()
}

fn without_limits(relay: &Relay) -> Relay {
    Relay { limits: Vec::new(), ..relay.clone() }
}

fn limit_changes(old: &Config, new: &Config) -> Vec<LimitChange> {
    type Key = (String, String);
    let table = |c: &Config| -> BTreeMap<Key, Limit> {
        let key = |scope: &str, limit: &Limit| (scope.to_owned(), limit.name.clone());
        c.limits.iter().map(|l| (key(&l.scope, &l.limit), l.limit.clone())).collect()
    };
    let (old, new) = (table(old), table(new));
    let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| LimitChange {
            scope: key.0.clone(),
            name: key.1.clone(),
            before: old.get(key).cloned(),
            after: new.get(key).cloned(),
        })
        .collect()
}

fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("database.url", old.database != new.database),
        ("secrets.key", old.key != new.key),
        ("web.public_url", old.web.public_url != new.web.public_url),
        ("web.public_listen", old.web.public_listen != new.web.public_listen),
        ("web.admin_listen", old.web.admin_listen != new.web.admin_listen),
        ("log", old.log != new.log),
        ("dns", old.dns != new.dns),
        ("bounces", old.bounces != new.bounces),
        ("mailbox", old.mailboxes != new.mailboxes),
        ("seed", old.seeds != new.seeds),
        ("placement", old.placement != new.placement),
        ("bounce_listener", old.bounce_listener != new.bounce_listener),
        ("hook", old.hooks != new.hooks),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(key, _)| key)
    .collect()
}
