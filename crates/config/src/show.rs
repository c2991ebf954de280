//! The configuration as it holds, for `config show`: defaults and profiles filled in, every secret masked.
//!
//! `Shown` is built from the checked values and has no field that could hold a secret's text.

use crate::settings::{DatabaseUrl, Log};
use crate::show_ways::{
    ShownDns, ShownHook, ShownListener, ShownMailbox, ShownPlacement, ShownSeed,
};
use crate::{Config, LimitSource};
use postroad_model::campaign::OnUnknown;
use postroad_model::feedback::BouncePolicy;
use postroad_model::limit::{Keeper, LimitUnit};
use postroad_model::relay::{Auth, Habits, Relay, Senders, TlsMode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

const MASK: &str = "***";

/// A configuration fit for the eye and for JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    file: String,
    database: ShownDatabase,
    secrets: ShownSecrets,
    web: ShownWeb,
    engine: ShownEngine,
    log: Log,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<ShownDns>,
    bounces: ShownBounces,
    #[serde(rename = "domain")]
    domains: Vec<ShownDomain>,
    #[serde(rename = "relay")]
    relays: Vec<ShownRelay>,
    #[serde(rename = "pool")]
    pools: Vec<ShownPool>,
    #[serde(rename = "mailbox", skip_serializing_if = "Vec::is_empty")]
    mailboxes: Vec<ShownMailbox>,
    #[serde(rename = "seed", skip_serializing_if = "Vec::is_empty")]
    seeds: Vec<ShownSeed>,
    placement: ShownPlacement,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_listener: Option<ShownListener>,
    #[serde(rename = "hook", skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<ShownHook>,
    #[serde(rename = "limit")]
    limits: Vec<ShownLimit>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownBounces {
    keep_raw: String,
    /// Acts in words, by reason.
    #[serde(flatten)]
    acts: BTreeMap<&'static str, String>,
    hold: ShownHold,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownHold {
    complaints: String,
    hard: String,
    blocks: String,
    minimum: u32,
    pause: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownDatabase {
    url: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownSecrets {
    key: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownWeb {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    public_listen: String,
    admin_listen: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownEngine {
    lease: String,
    retry: ShownRetry,
    expire_after: String,
    greylist_pin: String,
    on_unknown: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_copies: Option<u8>,
    unknown_wait: String,
    shutdown: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownRetry {
    first: String,
    factor: f64,
    max: String,
    jitter: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownDomain {
    name: String,
    dkim_selectors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribe_mailto: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_address: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownRelay {
    name: String,
    profile: String,
    host: String,
    port: u16,
    tls: TlsMode,
    own_ca: bool,
    auth: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_as: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_group: Option<String>,
    max_connections: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_messages_per_connection: Option<u32>,
    idle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_message_bytes: Option<u64>,
    bulk_allowed: bool,
    habits: Habits,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownPool {
    name: String,
    relays: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownLimit {
    scope: String,
    name: String,
    relays: Vec<String>,
    amount: i64,
    before_reserve: i64,
    unit: LimitUnit,
    per: String,
    kept_by: Keeper,
    number_from: LimitSource,
}

impl Config {
    /// The configuration with every secret masked.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown {
            file: self.path.display().to_string(),
            database: ShownDatabase { url: database(&self.database) },
            secrets: ShownSecrets { key: MASK },
            web: ShownWeb {
                public_url: self.web.public_url.clone(),
                public_listen: self.web.public_listen.to_string(),
                admin_listen: self.web.admin_listen.to_string(),
            },
            engine: engine(&self.engine),
            log: self.log,
            dns: self.dns.as_ref().map(ShownDns::from),
            bounces: shown_bounces(&self.bounces),
            domains: self.domains.iter().map(domain).collect(),
            relays: self.relays.iter().map(relay).collect(),
            pools: self
                .pools
                .iter()
                .map(|p| ShownPool { name: p.name.clone(), relays: p.relays.clone() })
                .collect(),
            mailboxes: self.mailboxes.iter().map(ShownMailbox::from).collect(),
            seeds: self.seeds.iter().map(ShownSeed::from).collect(),
            placement: ShownPlacement::from(&self.placement),
            bounce_listener: self.bounce_listener.as_ref().map(ShownListener::from),
            hooks: self.hooks.iter().map(ShownHook::from).collect(),
            limits: self.limits.iter().map(limit).collect(),
            warnings: self.warnings.iter().map(ToString::to_string).collect(),
        }
    }

    /// The same as TOML text.
    #[must_use]
    pub fn show(&self) -> String {
        toml::to_string(&self.shown()).unwrap_or_else(|e| format!("# cannot be shown: {e}\n"))
    }
}

/// A duration in the form that the file takes.
pub(crate) fn duration(d: Duration) -> String {
    let ms = d.as_millis();
    let (unit, size) = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find(|(unit, size)| {
            ms >= *size && ms.is_multiple_of(*size) && (*unit != "d" || ms / size > 3)
        })
        .unwrap_or(("ms", 1));
    format!("{}{unit}", ms / size)
}

fn database(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(url) => mask_url(url.expose()),
    }
}

/// `postgres://user:***@host/…`; what stands behind `?` may hold a password too and is left out.
fn mask_url(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.into() };
    match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:{MASK}@{host}"),
            None => format!("{scheme}://{user}@{host}"),
        },
        None => format!("{scheme}://{rest}"),
    }
}

fn engine(engine: &crate::Engine) -> ShownEngine {
    let (on_unknown, unknown_copies) = match engine.on_unknown {
        OnUnknown::Hold => ("hold", None),
        OnUnknown::Resend { copies } => ("resend", Some(copies)),
    };
    ShownEngine {
        lease: duration(engine.lease),
        retry: ShownRetry {
            first: duration(engine.retry.first),
            factor: engine.retry.factor,
            max: duration(engine.retry.max),
            jitter: engine.retry.jitter,
        },
        expire_after: duration(engine.expire_after),
        greylist_pin: duration(engine.greylist_pin),
        on_unknown,
        unknown_copies,
        unknown_wait: duration(engine.unknown_wait),
        shutdown: duration(engine.shutdown),
    }
}

fn shown_bounces(policy: &BouncePolicy) -> ShownBounces {
    let percent = |part: f64| format!("{:.2} %", part * 100.0);
    let brakes = &policy.brakes;
    ShownBounces {
        keep_raw: duration(policy.keep_raw),
        acts: policy
            .acts
            .iter()
            .map(|(r, act)| (r.as_str(), crate::bounces::act_words(act)))
            .collect(),
        hold: ShownHold {
            complaints: percent(brakes.complaints),
            hard: percent(brakes.hard),
            blocks: percent(brakes.blocks),
            minimum: brakes.minimum,
            pause: duration(brakes.pause),
        },
    }
}

fn domain(domain: &postroad_model::relay::SendingDomain) -> ShownDomain {
    ShownDomain {
        name: domain.name.as_str().into(),
        dkim_selectors: domain.dkim.iter().map(|k| k.selector.clone()).collect(),
        bounce_domain: domain.bounce_domain.as_ref().map(|d| d.as_str().into()),
        unsubscribe_mailto: domain.unsubscribe_mailto.clone(),
        postal_address: domain.postal_address.clone(),
    }
}

fn relay(relay: &Relay) -> ShownRelay {
    let (auth, username, password) = match &relay.auth {
        Auth::None => ("none", None, None),
        Auth::Password { username, .. } => ("password", Some(username.clone()), Some(MASK)),
        Auth::OAuth { username, .. } => ("oauth", Some(username.clone()), None),
        Auth::TokenCommand { username, .. } => ("token_command", Some(username.clone()), None),
    };
    let (from, send_as) = match &relay.senders {
        Senders::Itself(mailbox) => (Some(mailbox.to_string()), None),
        Senders::Domains(list) => (None, Some(list.iter().map(|d| d.as_str().into()).collect())),
        Senders::Any => (None, None),
    };
    ShownRelay {
        name: relay.name.clone(),
        profile: relay.profile.clone(),
        host: relay.endpoint.host.clone(),
        port: relay.endpoint.port,
        tls: relay.endpoint.tls,
        own_ca: relay.ca_pem.is_some(),
        auth,
        username,
        password,
        from,
        send_as,
        quota_group: relay.quota_group.clone(),
        max_connections: relay.connections.max_connections,
        max_messages_per_connection: relay.connections.max_messages_per_connection,
        idle: duration(relay.connections.idle),
        max_message_bytes: relay.max_message_bytes,
        bulk_allowed: relay.bulk_allowed,
        habits: relay.habits,
    }
}

fn limit(row: &crate::EffectiveLimit) -> ShownLimit {
    ShownLimit {
        scope: row.scope.clone(),
        name: row.limit.name.clone(),
        relays: row.relays.clone(),
        amount: row.limit.amount,
        before_reserve: row.stated,
        unit: row.limit.unit,
        per: row.limit.window.to_string(),
        kept_by: row.limit.keeper,
        number_from: row.source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_database_is_shown_without_its_password() {
        let check = |url: &str, expected: &str| assert_eq!(mask_url(url), expected);
        check("postgres://anna:s3cr@t@db/x", "postgres://anna:***@db/x");
        check("postgres://db/x?password=s3cret", "postgres://db/x");
        check("postgres://anna@db/x", "postgres://anna@db/x");
        check("nonsense", "***");
    }

    #[test]
    fn durations_are_shown_in_the_form_that_is_read() {
        let check = |seconds: u64, expected: &str| {
            let shown = duration(Duration::from_secs(seconds));
            assert_eq!(shown, expected);
            let read = postroad_model::time::parse_duration(&shown);
            assert_eq!(read, Some(Duration::from_secs(seconds)));
        };
        check(660, "11m");
        check(30, "30s");
        check(259_200, "72h");
        check(864_000, "10d");
    }
}
