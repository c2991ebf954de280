//! The configuration: from `postroad.toml` to checked values in model's types.
//!
//! `cli` calls [`Config::load`] once at the start and at `reload`, and maps the parts to each crate's settings.
//! All problems are found in one go and name file, line, column, key and the nearest right key. The profiles of
//! relay operators are data compiled in (`profiles.toml`), which the operator's own tables override. The
//! environment is an argument. What always holds: no relay without the limits that its operator sets, no login in
//! clear text off this machine, no two ledgers for one account. It opens no socket and no database.

mod account;
mod bounces;
mod diff;
mod dns;
mod domain;
mod hook;
mod limits;
mod mail_profile;
mod mailbox;
mod problem;
mod profile;
mod relay;
mod secret;
mod section;
mod seed;
mod settings;
mod show;
mod show_ways;

pub use account::EffectiveLimit;
pub use bounces::act_words;
pub use diff::{Changes, LimitChange};
pub use dns::DnsServers;
pub use hook::{BounceListener, Hook, HookKind, HookLogin, ListenerProtocol};
pub use limits::LimitSource;
pub use mailbox::{AfterReading, Mailbox, MailboxProtocol};
pub use problem::{Problem, Severity};
pub use profile::{AuthKind, Need, Profile, Profiles, QuotaScope, SendsAs};
pub use seed::{PlacementSettings, Seed};
pub use settings::{DatabaseUrl, Engine, Log, LogFormat, LogLevel, Retry, Web};
pub use show::Shown;

use postroad_model::Secret;
use postroad_model::feedback::BouncePolicy;
use postroad_model::relay::{Pool, Relay, SendingDomain};
use problem::{Context, Problems, Source};
use section::Section;
use std::path::{Path, PathBuf};

/// How the environment is asked for a variable.
pub type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

const MAX_CONFIG_BYTES: u64 = 16 * 1_048_576;
const SAMPLE: &str = include_str!("sample.toml");

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read the configuration: {0}; `postroad init` writes a first one")]
    Read(String),
    /// It has faults.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let mut text: String = problems.iter().map(|p| format!("{p}\n")).collect();
    let count = problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    text.push_str(&format!("{count} {noun} in the configuration; nothing was started"));
    text
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Where the state lives.
    pub database: DatabaseUrl,
    /// The key of tokens and hashes.
    pub key: Secret,
    /// `[web]`.
    pub web: Web,
    /// `[engine]`.
    pub engine: Engine,
    /// `[log]`.
    pub log: Log,
    /// `[dns]`; `None`: nobody is asked.
    pub dns: Option<DnsServers>,
    /// `[[domain]]`, in file order.
    pub domains: Vec<SendingDomain>,
    /// `[[relay]]`, in file order.
    pub relays: Vec<Relay>,
    /// `[[pool]]`, in file order.
    pub pools: Vec<Pool>,
    /// `[bounces]`.
    pub bounces: BouncePolicy,
    /// `[[mailbox]]`, in file order.
    pub mailboxes: Vec<Mailbox>,
    /// `[[seed]]`, in file order.
    pub seeds: Vec<Seed>,
    /// `[placement]`.
    pub placement: PlacementSettings,
    /// `[bounce_listener]`.
    pub bounce_listener: Option<BounceListener>,
    /// `[[hook]]`, in file order.
    pub hooks: Vec<Hook>,
    /// All limits as they hold, one row per scope and limit.
    pub limits: Vec<EffectiveLimit>,
    /// The profiles that were used.
    pub profiles: Profiles,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// When it cannot be read, or with all problems that it has.
    pub fn load(path: &Path, env: EnvLookup<'_>) -> Result<Self, Error> {
        Self::parse(read_text(path).map_err(Error::Read)?, path, env)
    }

    /// Checks a configuration's text as if it stood in a file of this name.
    ///
    /// # Errors
    /// With all problems that it has.
    pub fn parse(text: String, path: &Path, env: EnvLookup<'_>) -> Result<Self, Error> {
        let source = Source { path: path.to_owned(), text };
        let problems = Problems::default();
        let config = read(&source, &problems, env);
        let (errors, warnings, _) = problems.into_parts();
        match config {
            Some(config) if errors.is_empty() => Ok(Self { warnings, ..config }),
            Some(_) | None => Err(Error::Invalid(errors)),
        }
    }

    /// The commented sample that `postroad init` writes; it runs as it is once the key file exists.
    #[must_use]
    pub fn sample() -> &'static str {
        SAMPLE
    }

    /// A relay by its name.
    #[must_use]
    pub fn relay(&self, name: &str) -> Option<&Relay> {
        self.relays.iter().find(|r| r.name == name)
    }

    /// The relays whose server is the sink inside the program: it starts one, and puts the port it got into the
    /// endpoint where that says 0.
    pub fn sinks(&mut self) -> impl Iterator<Item = &mut Relay> {
        self.relays.iter_mut().filter(|r| r.profile == "sink")
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = secret::read_bounded(path, MAX_CONFIG_BYTES)?;
    String::from_utf8(bytes).map_err(|_| format!("the file {} is not UTF-8", path.display()))
}

fn read(source: &Source, problems: &Problems, env: EnvLookup<'_>) -> Option<Config> {
    let ctx = Context { source, problems, env };
    let (document, errors) = toml::de::DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        for error in &errors {
            ctx.error(error.span().map_or(0, |s| s.start), "", error.message());
        }
        return None;
    }
    let root = Section::new(ctx, "", document.get_ref(), 0);
    let profiles = read_profiles(&root);
    let drafts = relay::read_all(&root, &profiles);
    let (names, (relays, limits)) = (drafts.names, account::settle(&ctx, drafts.list));
    let domains = domain::domains(&root);
    let config = Config {
        mailboxes: mailbox::mailboxes(&root),
        seeds: seed::seeds(&root, &relays),
        placement: seed::placement(&root),
        bounce_listener: hook::bounce_listener(&root, &domains),
        hooks: hook::hooks(&root),
        path: source.path.clone(),
        database: settings::database(&root),
        key: settings::secrets(&root).unwrap_or_else(|| Secret::new("")),
        web: settings::web(&root),
        engine: settings::engine(&root),
        log: settings::log(&root),
        dns: dns::dns(&root),
        domains,
        pools: domain::pools(&root, &names),
        relays,
        bounces: bounces::bounces(&root),
        limits,
        profiles,
        warnings: Vec::new(),
    };
    root.finish();
    Some(config)
}

fn read_profiles(root: &Section<'_>) -> Profiles {
    let mut profiles = Profiles::built_in(root.ctx.problems);
    if let Some(section) = root.table("profiles", "profiles") {
        if let Some(file) = section.word("file") {
            let path = secret::resolve(&section, &file.value);
            match read_text(&path) {
                Ok(text) => profiles.add_text(&Source { path, text }, root.ctx.problems),
                Err(message) => section.error(file.at, "file", message),
            }
        }
        section.finish();
    }
    profiles.add_tables(root);
    profiles
}

#[cfg(test)]
mod tests;
