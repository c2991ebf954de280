//! The sections that are no relay: database, secrets, web, engine, log; their defaults stand here and nowhere else.
//!
//! The sample explains every key, and a test compares the defaults that it shows with these.

use crate::section::Section;
use crate::{problem::suggest, secret};
use postroad_model::{Secret, campaign::OnUnknown, token::MIN_SECRET};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where the state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the address may hold a password.
    Postgres(Secret),
}

/// `[web]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// https address under which recipients reach `public_listen`, without a slash at its end.
    pub public_url: Option<String>,
    /// Unsubscribe, tracking, webhooks.
    pub public_listen: SocketAddr,
    /// Metrics, health, API.
    pub admin_listen: SocketAddr,
}

/// How the time between two tries grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// The wait after the first deferral.
    pub first: Duration,
    /// By what each further wait is multiplied.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// The part of a wait that is random: 0.2 is from 0.8 to 1.2 of it.
    pub jitter: f64,
}

/// `[engine]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Engine {
    /// How long a lane belongs to a node without a heartbeat.
    pub lease: Duration,
    /// The retry policy.
    pub retry: Retry,
    /// How long a campaign's rows are tried after its start, unless the campaign says.
    pub expire_after: Duration,
    /// How long a greylisted row stays with its relay.
    pub greylist_pin: Duration,
    /// What becomes of unknown rows, unless the campaign says.
    pub on_unknown: OnUnknown,
    /// How long evidence is awaited for them.
    pub unknown_wait: Duration,
    /// How long a stop waits for replies to final dots.
    pub shutdown: Duration,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// And what needs an eye.
    Warn,
    /// And one line per event of interest.
    Info,
    /// And why the engine decided.
    Debug,
    /// And every command and reply.
    Trace,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
}

impl Default for Web {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { public_url: None, public_listen: loopback(8725), admin_listen: loopback(8726) }
    }
}

impl Default for Retry {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self { first: minutes(5), factor: 2.0, max: minutes(240), jitter: 0.2 }
    }
}

impl Default for Engine {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            lease: minutes(1),
            retry: Retry::default(),
            expire_after: minutes(72 * 60),
            greylist_pin: minutes(6 * 60),
            on_unknown: OnUnknown::Hold,
            unknown_wait: minutes(30),
            shutdown: Duration::from_secs(660),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

const DEFAULT_DATABASE: &str = "sqlite:postroad.db";

/// Reads `[database]`.
pub(crate) fn database(root: &Section<'_>) -> DatabaseUrl {
    let section = root.table("database", "database");
    let default = || DatabaseUrl::Sqlite(root.ctx.source.folder().join("postroad.db"));
    let Some(section) = section else { return default() };
    let is_text =
        section.value("url").is_some_and(|v| matches!(v.get_ref(), toml::de::DeValue::String(_)));
    let at = section.place("url");
    let text = match (section.has("url"), is_text) {
        (false, _) => DEFAULT_DATABASE.to_owned(),
        (true, true) => section.word("url").map(|t| t.value).unwrap_or_default(),
        (true, false) => {
            secret::read(&section, "url").map(|s| s.value.expose().to_owned()).unwrap_or_default()
        }
    };
    section.finish();
    let known = ["sqlite:", "postgres:", "postgresql:"];
    match text.split_once(':') {
        Some(("sqlite", file)) => {
            let file = file.strip_prefix("//").unwrap_or(file);
            if file.is_empty() || file.starts_with(':') || file.contains('?') {
                section.error(
                    at,
                    "url",
                    "must name a file, e.g. \"sqlite:postroad.db\"; a database in memory would forget \
                     what was sent",
                );
            }
            DatabaseUrl::Sqlite(secret::resolve(&section, file))
        }
        Some(("postgres" | "postgresql", _)) => {
            if is_text && has_password(&text) {
                section.warn(
                    at,
                    "url",
                    "a password stands in the file; better url = { env = \"DATABASE_URL\" }",
                );
            }
            DatabaseUrl::Postgres(Secret::new(text))
        }
        Some(_) | None => {
            if !text.is_empty() {
                let scheme = text.split(':').next().unwrap_or_default();
                let near = suggest(&format!("{scheme}:"), known);
                section.error(
                    at,
                    "url",
                    format!("must begin with sqlite: or postgres://, not {scheme:?}{near}"),
                );
            }
            default()
        }
    }
}

/// True when an address has the form scheme://user:password@host.
pub(crate) fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
        || url.contains("password=")
}

/// Reads `[secrets]`; the key is what tokens and hashes are made with.
pub(crate) fn secrets(root: &Section<'_>) -> Option<Secret> {
    let why = "the key of tokens and hashes; `postroad init` makes one: [secrets] key = { file = \
               \"secrets/postroad.key\" }";
    let Some(section) = root.table("secrets", "secrets") else {
        if !root.has("secrets") {
            root.error(0, "secrets.key", format!("is missing: {why}"));
        }
        return None;
    };
    if !section.has("key") {
        section.missing("key", why);
    }
    let key = secret::read(&section, "key");
    section.finish();
    let key = key?;
    if key.value.expose().len() < MIN_SECRET {
        section.error(
            key.at,
            "key",
            format!(
                "has fewer than {MIN_SECRET} characters; `openssl rand -hex 32` makes a good one"
            ),
        );
    }
    Some(key.value)
}

/// Reads `[web]`.
pub(crate) fn web(root: &Section<'_>) -> Web {
    let mut web = Web::default();
    let Some(section) = root.table("web", "web") else { return web };
    if let Some(url) = section.word("public_url") {
        match check_https(&url.value) {
            Ok(()) => web.public_url = Some(url.value.trim_end_matches('/').to_owned()),
            Err(why) => section.error(url.at, "public_url", why),
        }
    }
    for (key, slot) in
        [("public_listen", &mut web.public_listen), ("admin_listen", &mut web.admin_listen)]
    {
        let Some(text) = section.word(key) else { continue };
        match text.value.parse() {
            Ok(address) => *slot = address,
            Err(_) => section.error(
                text.at,
                key,
                format!("{:?} is no address and port, e.g. \"127.0.0.1:8725\"", text.value),
            ),
        }
    }
    if !web.admin_listen.ip().is_loopback() {
        section.warn(
            section.place("admin_listen"),
            "admin_listen",
            "the admin listener has no login; whoever reaches this address can read and steer everything",
        );
    }
    if web.public_listen == web.admin_listen && web.public_listen.port() != 0 {
        section.error(
            section.place("admin_listen"),
            "admin_listen",
            "is the same as public_listen; recipients must not reach the admin pages",
        );
    }
    section.finish();
    web
}

/// https, or http on loopback for trying things out; neither query nor fragment.
pub(crate) fn check_https(url: &str) -> Result<(), String> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| format!("{url:?} is no address; write https://host/path"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = host_of(authority);
    if host.is_empty() || rest.contains(['?', '#', ' ', '"', '<', '>', '@']) {
        return Err(format!("{url:?} needs a host, and neither user, query nor fragment"));
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        _ => Err("must be https (http is for loopback only)".into()),
    }
}

fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

/// True for 127.0.0.0/8, ::1 and localhost.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads `[engine]`.
pub(crate) fn engine(root: &Section<'_>) -> Engine {
    let mut engine = Engine::default();
    let Some(section) = root.table("engine", "engine") else { return engine };
    let seconds = Duration::from_secs;
    let day = 86_400;
    let set = |key, range, slot: &mut Duration| {
        if let Some(d) = section.duration(key, range) {
            *slot = d.value;
        }
    };
    set("lease", seconds(5)..=seconds(600), &mut engine.lease);
    set("expire_after", seconds(60)..=seconds(30 * day), &mut engine.expire_after);
    set("greylist_pin", seconds(1)..=seconds(7 * day), &mut engine.greylist_pin);
    set("unknown_wait", seconds(1)..=seconds(7 * day), &mut engine.unknown_wait);
    set("shutdown", seconds(1)..=seconds(3_600), &mut engine.shutdown);
    if let Some(table) = section.table("retry", "engine.retry") {
        engine.retry = retry(&table);
    }
    engine.on_unknown = on_unknown(&section);
    section.finish();
    engine
}

fn retry(section: &Section<'_>) -> Retry {
    let mut retry = Retry::default();
    let range = Duration::from_millis(1)..=Duration::from_secs(7 * 86_400);
    if let Some(first) = section.duration("first", range.clone()) {
        retry.first = first.value;
    }
    if let Some(max) = section.duration("max", range) {
        retry.max = max.value;
    }
    if let Some(factor) = section.float("factor", 1.0..=10.0) {
        retry.factor = factor;
    }
    if let Some(jitter) = section.float("jitter", 0.0..=0.5) {
        retry.jitter = jitter;
    }
    if retry.max < retry.first {
        section.error(section.place("max"), "max", "is shorter than first");
    }
    section.finish();
    retry
}

fn on_unknown(section: &Section<'_>) -> OnUnknown {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Hold,
        Resend,
    }
    let word = section.choice("on_unknown", &[("hold", Word::Hold), ("resend", Word::Resend)]);
    let copies = section.integer("unknown_copies", 2..=10).and_then(|n| u8::try_from(n.value).ok());
    if section.has("unknown_copies") && word != Some(Word::Resend) {
        section.error(
            section.place("unknown_copies"),
            "unknown_copies",
            "counts only with on_unknown = \"resend\"",
        );
    }
    match word {
        Some(Word::Resend) => OnUnknown::Resend { copies: copies.unwrap_or(2) },
        Some(Word::Hold) | None => OnUnknown::Hold,
    }
}

/// Reads `[log]`.
pub(crate) fn log(root: &Section<'_>) -> Log {
    let mut log = Log::default();
    let Some(section) = root.table("log", "log") else { return log };
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    if let Some(level) = section.choice("level", &levels) {
        log.level = level;
    }
    if let Some(format) =
        section.choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])
    {
        log.format = format;
    }
    section.finish();
    log
}
