//! Profiles: what is known of the operators of relays, as data.
//!
//! `profiles.toml` is compiled in; an operator's own file (`[profiles] file`) or `[[profile]]` tables add to it or
//! replace a profile of the same id. What is not known stays absent: `needs` and `ask` then tell the operator
//! what to ask. This module reads; `relay` applies.

use crate::limits;
use crate::problem::{Context, Problems, Severity, Source};
use crate::section::Section;
use postroad_model::EnhancedStatus;
use postroad_model::limit::Limit;
use postroad_model::relay::{Endpoint, Habits, ReplyMeaning, ReplyRule, TlsMode};
use std::collections::BTreeMap;
use std::time::Duration;

const BUILT_IN: &str = include_str!("profiles.toml");
const BUILT_IN_NAME: &str = "profiles.toml (built in)";

/// A way to log in that an operator offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthKind {
    /// User name and password (an app password, an API key).
    Password,
    /// XOAUTH2.
    OAuth,
    /// None: the operator knows our address, or the server is our own.
    None,
}

/// What a relay of this profile may send as when the operator does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendsAs {
    /// The account's own address.
    Itself,
    /// Domains that are verified there: `send_as` must name them.
    Domains,
    /// Anything.
    Any,
}

/// Whom the operator counts a quota for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaScope {
    /// The one mailbox that logs in.
    Mailbox,
    /// The customer's account, whatever credential is used.
    Account,
}

/// A limit that a relay of this profile must have, though the profile cannot know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// A limit of 24 hours or a calendar day.
    Day,
    /// A limit of a window below ten minutes.
    Rate,
    /// Any limit of ten minutes or more, given by the operator: it depends on the plan that was bought.
    Plan,
}

/// What is known of a relay's operator.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name in `profile = "…"`.
    pub id: String,
    /// The name for people.
    pub label: String,
    /// Ways to reach it, the preferred one first; empty: the operator must give `host`.
    pub endpoints: Vec<Endpoint>,
    /// The port used when only `host` is given, and its TLS mode.
    pub default_port: (u16, TlsMode),
    /// Ways to log in.
    pub auth: Vec<AuthKind>,
    /// The user name that every customer has.
    pub username: Option<String>,
    /// What a relay may send as.
    pub sends_as: SendsAs,
    /// Whom quotas are counted for.
    pub quota_scope: QuotaScope,
    /// Published limits.
    pub limits: Vec<Limit>,
    /// Limits that the operator must add.
    pub needs: Vec<Need>,
    /// The question to ask the provider.
    pub ask: String,
    /// True when `limits = "none"` is believed.
    pub limits_none: bool,
    /// Connections at once; ours where the operator publishes nothing.
    pub max_connections: u32,
    /// Messages on one connection.
    pub max_messages_per_connection: Option<u32>,
    /// Largest message.
    pub max_message_bytes: Option<u64>,
    /// True when the terms allow bulk mail.
    pub bulk_allowed: bool,
    /// What its replies mean.
    pub replies: Vec<ReplyRule>,
    /// Its habits.
    pub habits: Habits,
    /// Where the facts come from.
    pub source: String,
    /// When they were looked at.
    pub verified_on: String,
    /// What cannot be said in the keys above.
    pub note: Option<String>,
}

/// All profiles by id.
#[derive(Clone, Debug, Default)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// The compiled-in profiles; problems in them are a bug, reported like those of any file.
    pub(crate) fn built_in(problems: &Problems) -> Self {
        let source = Source { path: BUILT_IN_NAME.into(), text: BUILT_IN.into() };
        let mut profiles = Self::default();
        profiles.add_text(&source, problems);
        profiles
    }

    /// Adds the `[[profile]]` tables of a file of profiles.
    pub(crate) fn add_text(&mut self, source: &Source, problems: &Problems) {
        let (root, errors) = toml::de::DeTable::parse_recoverable(&source.text);
        for error in &errors {
            let at = error.span().map_or(0, |s| s.start);
            problems.push(source, Severity::Error, at, "", error.message().to_owned());
        }
        if !errors.is_empty() {
            return;
        }
        let ctx = Context { source, problems, env: &|_| None };
        let root_section = Section::new(ctx, "", root.get_ref(), 0);
        self.add_tables(&root_section);
        root_section.finish();
    }

    /// Adds the `[[profile]]` tables of a section; an id that stands twice in it is refused.
    pub(crate) fn add_tables(&mut self, root: &Section<'_>) {
        let mut seen: Vec<String> = Vec::new();
        for section in root.tables("profile", "profile") {
            let Some(profile) = read_profile(section) else { continue };
            if seen.contains(&profile.1.id) {
                let message = format!("a second profile {:?} in one file", profile.1.id);
                root.error(profile.0, "profile", message);
                continue;
            }
            seen.push(profile.1.id.clone());
            self.0.insert(profile.1.id.clone(), profile.1);
        }
    }

    /// A profile by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Profile> {
        self.0.get(id)
    }

    /// All ids, sorted.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// All profiles, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

const TLS_WORDS: [(&str, TlsMode); 3] =
    [("implicit", TlsMode::Implicit), ("starttls", TlsMode::Starttls), ("none", TlsMode::None)];

pub(crate) fn read_tls(section: &Section<'_>) -> Option<TlsMode> {
    section.choice("tls", &TLS_WORDS)
}

fn read_profile(mut section: Section<'_>) -> Option<(usize, Profile)> {
    let Some(id) = section.name("id") else {
        if !section.has("id") {
            section.missing("id", "the name that relays use in profile = \"…\"");
        }
        return None;
    };
    section.named(&id.value);
    let endpoints = read_endpoints(&section);
    let default_port =
        endpoints.first().map_or((587, TlsMode::Starttls), |first| (first.port, first.tls));
    let limits: Vec<Limit> =
        limits::read_list(&section).into_iter().map(|limit| limit.value).collect();
    let profile = Profile {
        label: text(&section, "label").unwrap_or_else(|| id.value.clone()),
        endpoints,
        default_port,
        auth: read_words(
            &section,
            "auth",
            &[
                ("password", AuthKind::Password),
                ("oauth", AuthKind::OAuth),
                ("none", AuthKind::None),
            ],
        )
        .unwrap_or_else(|| vec![AuthKind::Password]),
        username: text(&section, "username"),
        sends_as: section
            .choice(
                "sends_as",
                &[
                    ("itself", SendsAs::Itself),
                    ("domains", SendsAs::Domains),
                    ("any", SendsAs::Any),
                ],
            )
            .unwrap_or(SendsAs::Domains),
        quota_scope: section
            .choice(
                "quota_scope",
                &[("mailbox", QuotaScope::Mailbox), ("account", QuotaScope::Account)],
            )
            .unwrap_or(QuotaScope::Account),
        limits,
        needs: read_words(
            &section,
            "needs",
            &[("day", Need::Day), ("rate", Need::Rate), ("plan", Need::Plan)],
        )
        .unwrap_or_default(),
        ask: text(&section, "ask").unwrap_or_default(),
        limits_none: section.boolean("limits_none").unwrap_or(false),
        max_connections: small(&section, "max_connections").unwrap_or(2),
        max_messages_per_connection: small(&section, "max_messages_per_connection"),
        max_message_bytes: section
            .integer("max_message_bytes", 1024..=1_000_000_000)
            .and_then(|n| u64::try_from(n.value).ok()),
        bulk_allowed: section.boolean("bulk_allowed").unwrap_or(true),
        replies: read_replies(&section),
        habits: read_habits(&section),
        source: text(&section, "source").unwrap_or_default(),
        verified_on: text(&section, "verified_on").unwrap_or_default(),
        note: text(&section, "note"),
        id: id.value,
    };
    check_profile(&section, &profile);
    section.finish();
    Some((id.at, profile))
}

fn check_profile(section: &Section<'_>, profile: &Profile) {
    if !profile.needs.is_empty() && profile.ask.is_empty() {
        section.missing("ask", "a profile with needs must say what to ask its provider");
    }
    for rule in &profile.replies {
        if rule.code.is_none() && rule.enhanced.is_none() && rule.text.is_none() {
            section.error(
                section.place("replies"),
                "replies",
                "a rule without code, enhanced and text would match every reply",
            );
        }
    }
}

fn text(section: &Section<'_>, key: &'static str) -> Option<String> {
    section.word(key).map(|t| t.value)
}

pub(crate) fn small(section: &Section<'_>, key: &'static str) -> Option<u32> {
    section.integer(key, 1..=1_000_000).and_then(|n| u32::try_from(n.value).ok())
}

fn read_words<T: Copy>(
    section: &Section<'_>,
    key: &'static str,
    words: &[(&str, T)],
) -> Option<Vec<T>> {
    let mut list = Vec::new();
    for item in section.strings(key)? {
        match words.iter().find(|(word, _)| *word == item.value) {
            Some((_, value)) => list.push(*value),
            None => {
                let near =
                    crate::problem::suggest(&item.value, words.iter().map(|(word, _)| *word));
                section.error(item.at, key, format!("{:?} is not known{near}", item.value));
            }
        }
    }
    Some(list)
}

fn read_endpoints(section: &Section<'_>) -> Vec<Endpoint> {
    let mut list = Vec::new();
    for entry in section.tables("endpoints", "profile.endpoints") {
        let host = entry.word("host");
        let port = entry.integer("port", 0..=65_535).and_then(|p| u16::try_from(p.value).ok());
        let tls = read_tls(&entry);
        entry.finish();
        match (host, port, tls) {
            (Some(host), Some(port), Some(tls)) => {
                list.push(Endpoint { host: host.value, port, tls });
            }
            (_, _, _) => entry.error(entry.at, "", "needs host, port and tls"),
        }
    }
    list
}

fn read_habits(section: &Section<'_>) -> Habits {
    let Some(table) = section.table("habits", "profile.habits") else { return Habits::default() };
    let flag = |key| table.boolean(key).unwrap_or(false);
    let habits = Habits {
        forces_envelope: flag("forces_envelope"),
        rewrites_message_id: flag("rewrites_message_id"),
        signs: flag("signs"),
        saves_sent: flag("saves_sent"),
        needs_verified_sender: flag("needs_verified_sender"),
    };
    table.finish();
    habits
}

const MEANINGS: [(&str, ReplyMeaning); 7] = [
    ("quota", ReplyMeaning::Quota),
    ("throttle", ReplyMeaning::Throttle),
    ("login", ReplyMeaning::Login),
    ("block", ReplyMeaning::Block),
    ("sender", ReplyMeaning::Sender),
    ("suppressed", ReplyMeaning::Suppressed),
    ("connection", ReplyMeaning::Connection),
];

fn read_replies(section: &Section<'_>) -> Vec<ReplyRule> {
    let mut list = Vec::new();
    for entry in section.tables("replies", "profile.replies") {
        let code = entry.integer("code", 400..=599).and_then(|c| u16::try_from(c.value).ok());
        let enhanced = entry.word("enhanced").and_then(|status| {
            let parsed = EnhancedStatus::parse(&status.value);
            if parsed.is_none() {
                entry.error(status.at, "enhanced", "must have the form \"5.7.1\"");
            }
            parsed
        });
        let text = text(&entry, "text");
        let means = entry.choice("means", &MEANINGS);
        let limit = entry.name("limit").map(|l| l.value);
        let pause_seconds =
            entry.integer("pause_seconds", 1..=2_592_000).and_then(|n| u32::try_from(n.value).ok());
        if !entry.has("means") {
            entry.missing("means", "what the reply says: quota, throttle, login, block, …");
        }
        entry.finish();
        if let Some(means) = means {
            list.push(ReplyRule { code, enhanced, text, means, limit, pause_seconds });
        }
    }
    list
}

/// How long an idle connection is kept.
pub(crate) const DEFAULT_IDLE: Duration = Duration::from_secs(30);
