//! `[[relay]]`: one relay read from its table, with its profile's facts behind every key that is absent.
//!
//! A draft holds what the table says; `account` turns all drafts together into relays, because limits are shared
//! by groups. Clear text never carries a login off this machine.

use crate::limits::{self, Stated};
use crate::problem::suggest;
use crate::profile::{AuthKind, DEFAULT_IDLE, Profile, Profiles, SendsAs, read_tls, small};
use crate::section::{At, Section};
use crate::{secret, settings};
use postroad_model::address::Mailbox;
use postroad_model::relay::{Auth, ConnectionLimits, Endpoint, Senders, TlsMode};
use postroad_model::{Domain, Secret};
use std::time::Duration;

const MAX_CA_BYTES: u64 = 1_048_576;

/// What one `[[relay]]` says, its limits not yet settled.
pub(crate) struct Draft<'p> {
    pub name: String,
    /// Where the table stands, and how its problems are labelled.
    pub at: usize,
    pub label: String,
    pub profile: &'p Profile,
    pub endpoint: Endpoint,
    pub ca_pem: Option<Vec<u8>>,
    pub auth: Auth,
    pub senders: Senders,
    pub group: Option<At<String>>,
    pub stated: Stated,
    pub reserve: Option<At<i64>>,
    pub connections: ConnectionLimits,
    pub max_message_bytes: Option<u64>,
}

/// All relays that could be read, and the names of all that stand there (a broken one is still no unknown one).
pub(crate) struct Drafts<'p> {
    pub list: Vec<Draft<'p>>,
    pub names: Vec<String>,
}

/// What reports and metrics write where a figure is of all relays.
const EVERY: &str = "all";

/// Reads all `[[relay]]` tables.
pub(crate) fn read_all<'p>(root: &Section<'_>, profiles: &'p Profiles) -> Drafts<'p> {
    let mut drafts = Drafts { list: Vec::new(), names: Vec::new() };
    for mut section in root.tables("relay", "relay") {
        let name = section.name("name");
        if let Some(name) = &name {
            section.named(&name.value);
            if drafts.names.contains(&name.value) {
                section.error(name.at, "name", format!("a second relay named {:?}", name.value));
            }
            if name.value == EVERY {
                let why = "\"all\" stands for every relay together in reports and metrics: choose another";
                section.error(name.at, "name", why);
            }
            drafts.names.push(name.value.clone());
        } else if !section.has("name") {
            section.missing("name", "pools, reports and metrics use it");
        }
        if let Some(draft) = read_one(&section, name, profiles) {
            drafts.list.push(draft);
        }
        section.finish();
    }
    drafts
}

fn read_one<'p>(
    section: &Section<'_>,
    name: Option<At<String>>,
    profiles: &'p Profiles,
) -> Option<Draft<'p>> {
    let profile = find_profile(section, profiles);
    let fallback = profiles.get("generic");
    // A relay with an unknown profile is still read to its end, so that its other faults are told too.
    let known = profile.or(fallback)?;
    let endpoint = read_endpoint(section, known);
    let auth = read_auth(section, known, &endpoint);
    let senders = read_senders(section, known, &auth);
    let draft = Draft {
        name: name.map(|n| n.value).unwrap_or_default(),
        at: section.at,
        label: section.path(""),
        profile: known,
        ca_pem: read_ca(section),
        senders,
        auth,
        endpoint,
        group: section.name("quota_group"),
        stated: limits::read_stated(section),
        reserve: section.integer("reserve", 0..=1_000_000_000),
        connections: read_connections(section, known),
        max_message_bytes: section
            .integer("max_message_bytes", 1_024..=1_000_000_000)
            .and_then(|n| u64::try_from(n.value).ok())
            .or(known.max_message_bytes),
    };
    (profile.is_some() && !draft.name.is_empty()).then_some(draft)
}

fn find_profile<'p>(section: &Section<'_>, profiles: &'p Profiles) -> Option<&'p Profile> {
    let Some(id) = section.word("profile") else {
        if !section.has("profile") {
            let all = profiles.ids().join(", ");
            section.missing("profile", &format!("who runs the relay; one of {all}"));
        }
        return None;
    };
    let profile = profiles.get(&id.value);
    if profile.is_none() {
        let near = suggest(&id.value, profiles.ids());
        section.error(id.at, "profile", format!("{:?} is not known{near}", id.value));
    }
    profile
}

fn read_endpoint(section: &Section<'_>, profile: &Profile) -> Endpoint {
    let host = section.word("host");
    let port = section.integer("port", 0..=65_535).and_then(|p| u16::try_from(p.value).ok());
    let tls = section.has("tls").then(|| read_tls(section)).flatten();
    section.value("tls");
    if let Some(host) = &host
        && !is_host(&host.value)
    {
        section.error(
            host.at,
            "host",
            format!("{:?} is no host name; the port has a key of its own", host.value),
        );
    }
    let known = |wanted: &dyn Fn(&Endpoint) -> bool| profile.endpoints.iter().find(|e| wanted(e));
    let (port, tls) = match (port, tls) {
        (Some(port), Some(tls)) => (port, tls),
        (Some(port), None) => {
            let guess =
                if matches!(port, 465 | 2465) { TlsMode::Implicit } else { TlsMode::Starttls };
            (port, known(&|e| e.port == port).map_or(guess, |e| e.tls))
        }
        (None, Some(tls)) => {
            let guess = match tls {
                TlsMode::Implicit => 465,
                TlsMode::Starttls => 587,
                TlsMode::None => 25,
            };
            (known(&|e| e.tls == tls).map_or(guess, |e| e.port), tls)
        }
        (None, None) => profile.default_port,
    };
    let host = match (host, profile.endpoints.first()) {
        (Some(host), _) => host.value,
        (None, Some(endpoint)) => endpoint.host.clone(),
        (None, None) => {
            if !section.has("host") {
                section.missing("host", &format!("where {} is reached", profile.label));
            }
            "127.0.0.1".into()
        }
    };
    if port == 0 && profile.id != "sink" {
        section.error(section.place("port"), "port", "0 is for the sink alone: any free port");
    }
    Endpoint { host, port, tls }
}

fn is_host(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
        || (text.len() <= 253
            && text.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }))
}

fn read_auth(section: &Section<'_>, profile: &Profile, endpoint: &Endpoint) -> Auth {
    let loopback = settings::is_loopback(&endpoint.host);
    let auth = read_credentials(section, profile, loopback);
    let kind = match &auth {
        Auth::None => AuthKind::None,
        Auth::Password { .. } => AuthKind::Password,
        Auth::OAuth { .. } | Auth::TokenCommand { .. } => AuthKind::OAuth,
    };
    if !loopback && kind != AuthKind::None && !profile.auth.contains(&kind) {
        let (key, what) = match kind {
            AuthKind::Password => ("password", "no passwords; use oauth or token_command"),
            AuthKind::OAuth => ("oauth", "no OAuth; use password"),
            AuthKind::None => ("username", "no login"),
        };
        section.error(section.place(key), key, format!("{} takes {what}", profile.label));
    }
    if endpoint.tls == TlsMode::None && !loopback {
        let at = section.place("tls");
        if kind == AuthKind::None {
            section.warn(at, "tls", "everything goes over the network in clear text");
        } else {
            section.error(
                at,
                "tls",
                "\"none\" would send the login in clear text; that is allowed to a loopback address only",
            );
        }
    }
    auth
}

fn read_credentials(section: &Section<'_>, profile: &Profile, loopback: bool) -> Auth {
    let username = section.word("username").map(|u| u.value).or_else(|| profile.username.clone());
    let password = secret::read(section, "password");
    let oauth = section.table("oauth", "relay.oauth").and_then(|table| read_oauth(&table));
    let command = section.strings("token_command");
    let given: Vec<&str> =
        ["password", "oauth", "token_command"].into_iter().filter(|key| section.has(key)).collect();
    if given.len() > 1 {
        let keys = given.join(" and ");
        section.error(section.place(given[1]), given[1], format!("give one of {keys}, not both"));
    }
    let Some(given) = given.first() else {
        let may_be_open = loopback || profile.auth.contains(&AuthKind::None);
        if !may_be_open {
            let way = match profile.auth.first() {
                Some(AuthKind::OAuth) => "oauth = { … } or token_command = [\"…\"]",
                Some(AuthKind::Password | AuthKind::None) | None => {
                    "password = { env = \"NAME\" } or { file = \"path\" }"
                }
            };
            section.missing("password", &format!("{} wants a login: {way}", profile.label));
        } else if section.has("username") {
            section.missing("password", "a user name alone logs nobody in");
        }
        return Auth::None;
    };
    let Some(username) = username else {
        if !section.has("username") {
            section.missing("username", &format!("the account that {given} belongs to"));
        }
        return Auth::None;
    };
    if let Some(command) = command {
        let command: Vec<String> = command.into_iter().map(|word| word.value).collect();
        if command.first().is_none_or(String::is_empty) {
            section.error(section.place("token_command"), "token_command", "names no program");
        }
        return Auth::TokenCommand { username, command };
    }
    if let Some(oauth) = oauth {
        return oauth.with(username);
    }
    match password {
        Some(password) => Auth::Password { username, password: password.value },
        None => Auth::None,
    }
}

pub(crate) struct OAuth {
    token_url: String,
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
}

impl OAuth {
    /// The login of this account.
    pub fn with(self, username: String) -> Auth {
        let Self { token_url, client_id, client_secret, refresh_token } = self;
        Auth::OAuth { username, token_url, client_id, client_secret, refresh_token }
    }
}

pub(crate) fn read_oauth(table: &Section<'_>) -> Option<OAuth> {
    for (key, what) in [
        ("token_url", "the https address that gives tokens"),
        ("client_id", "the id of the registered application"),
        ("refresh_token", "{ env = \"NAME\" } or { file = \"path\" }"),
    ] {
        if !table.has(key) {
            table.missing(key, what);
        }
    }
    let token_url = table.word("token_url");
    if let Some(url) = &token_url
        && let Err(why) = settings::check_https(url.value.split('?').next().unwrap_or_default())
    {
        table.error(url.at, "token_url", why);
    }
    let id_is_text = table
        .value("client_id")
        .is_some_and(|v| matches!(v.get_ref(), toml::de::DeValue::String(_)));
    let client_id = if id_is_text {
        table.word("client_id").map(|id| id.value)
    } else {
        secret::read(table, "client_id").map(|id| id.value.expose().to_owned())
    };
    // A public client (RFC 6749 section 2.1) has no secret.
    let client_secret =
        secret::read(table, "client_secret").map_or_else(|| Secret::new(""), |s| s.value);
    let refresh_token = secret::read(table, "refresh_token");
    table.finish();
    Some(OAuth {
        token_url: token_url?.value,
        client_id: client_id?,
        client_secret,
        refresh_token: refresh_token?.value,
    })
}

fn read_senders(section: &Section<'_>, profile: &Profile, auth: &Auth) -> Senders {
    let from = section.word("from");
    let send_as = section.strings("send_as");
    if let (Some(from), Some(_)) = (&from, &send_as) {
        section.error(
            from.at,
            "from",
            "give either from (it sends as itself) or send_as (as its domains), not both",
        );
    }
    if let Some(list) = send_as {
        let mut domains = Vec::new();
        for item in &list {
            match Domain::parse(&item.value) {
                Ok(domain) => domains.push(domain),
                Err(why) => section.error(
                    item.at,
                    "send_as",
                    format!("{why}; write domains here, and an address as from"),
                ),
            }
        }
        if list.is_empty() {
            section.error(
                section.place("send_as"),
                "send_as",
                "is an empty list: nothing could be sent",
            );
        }
        return Senders::Domains(domains);
    }
    let own = match from {
        Some(from) => Some(from),
        None if profile.sends_as == SendsAs::Itself => account_address(section, auth),
        None => None,
    };
    match own {
        Some(own) => match Mailbox::parse(&own.value) {
            Ok(mailbox) => return Senders::Itself(mailbox),
            Err(why) => section.error(own.at, "from", format!("{why}")),
        },
        None => {
            if profile.sends_as != SendsAs::Any && !section.has("from") {
                section.missing(
                    "send_as",
                    "what may it send as? send_as = [\"news.example.com\"] names the domains that are \
                     verified there; from = \"Anna <anna@example.com>\" makes it send as itself",
                );
            }
        }
    }
    Senders::Any
}

/// The user name of a mailbox is its address.
fn account_address(section: &Section<'_>, auth: &Auth) -> Option<At<String>> {
    let username = match auth {
        Auth::None => return None,
        Auth::Password { username, .. }
        | Auth::OAuth { username, .. }
        | Auth::TokenCommand { username, .. } => username,
    };
    username.contains('@').then(|| At { value: username.clone(), at: section.place("username") })
}

pub(crate) fn read_ca(section: &Section<'_>) -> Option<Vec<u8>> {
    let file = section.word("ca_file")?;
    let path = secret::resolve(section, &file.value);
    let pem = secret::read_bounded(&path, MAX_CA_BYTES).and_then(|bytes| {
        let marker = b"-----BEGIN CERTIFICATE-----";
        if bytes.windows(marker.len()).any(|w| w == marker) {
            Ok(bytes)
        } else {
            Err(format!("the file {} holds no PEM certificate", path.display()))
        }
    });
    pem.map_err(|message| section.error(file.at, "ca_file", message)).ok()
}

fn read_connections(section: &Section<'_>, profile: &Profile) -> ConnectionLimits {
    let idle = section.duration("idle", Duration::from_secs(1)..=Duration::from_secs(3_600));
    ConnectionLimits {
        max_connections: small(section, "max_connections").unwrap_or(profile.max_connections),
        max_messages_per_connection: small(section, "max_messages_per_connection")
            .or(profile.max_messages_per_connection),
        idle: idle.map_or(DEFAULT_IDLE, |d| d.value),
    }
}
