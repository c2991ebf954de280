//! `[[mailbox]]`: the mailboxes that bounces come back to, and how they are read.
//!
//! cli makes watchers of them. Logins are read as relays' are; clear text never carries one off this machine. What is
//! deleted or moved must be asked for: the default leaves every message where it is.

use crate::mail_profile::{MAIL_PROFILES, MailProfile, Passwords, Server, mail_profile};
use crate::problem::suggest;
use crate::profile::read_tls;
use crate::relay::{read_ca, read_oauth};
use crate::section::{At, Section};
use crate::{secret, settings};
use postroad_model::relay::{Auth, Endpoint, TlsMode};
use std::time::Duration;

/// No more of a message is ever understood (bounce's MAX_READ); more would be promised in vain.
const MESSAGE_MAX: i64 = 2 << 20;

/// How a mailbox is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxProtocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
}

/// What becomes of a message once it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterReading {
    /// It stays where it is.
    Leave,
    /// It goes into this folder.
    Move(String),
    /// It is deleted.
    Delete,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its name.
    pub name: String,
    /// How it is read.
    pub protocol: MailboxProtocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// PEM file with the only authority that may have signed its certificate.
    pub ca_pem: Option<Vec<u8>>,
    /// How to log in.
    pub auth: Auth,
    /// Which folder (IMAP).
    pub folder: String,
    /// What becomes of bounces and the like.
    pub bounces: AfterReading,
    /// What becomes of all other mail.
    pub others: AfterReading,
    /// Between two looks.
    pub poll: Duration,
    /// How far back a folder is read that was never read.
    pub look_back: Duration,
    /// As much of a message is read.
    pub max_message_bytes: usize,
    /// What to tell people whose login is refused.
    pub login_advice: &'static str,
}

/// Reads all `[[mailbox]]` tables.
pub(crate) fn mailboxes(root: &Section<'_>) -> Vec<Mailbox> {
    let mut list: Vec<Mailbox> = Vec::new();
    for mut section in root.tables("mailbox", "mailbox") {
        let name = section.name("name");
        if let Some(name) = &name {
            section.named(&name.value);
            if list.iter().any(|m| m.name == name.value) {
                section.error(name.at, "name", format!("a second mailbox named {:?}", name.value));
            }
        } else if !section.has("name") {
            section.missing("name", "reports and `postroad mailbox check` use it");
        }
        if let Some(mailbox) = read_one(&section, name.map(|n| n.value).unwrap_or_default()) {
            list.push(mailbox);
        }
        section.finish();
    }
    list
}

fn read_one(section: &Section<'_>, name: String) -> Option<Mailbox> {
    let known = find_profile(section, "generic");
    let profile = known.or_else(|| mail_profile("generic"))?;
    let words = [("imap", MailboxProtocol::Imap), ("pop3", MailboxProtocol::Pop3)];
    let protocol = section.choice("protocol", &words).unwrap_or(MailboxProtocol::Imap);
    let endpoint = read_endpoint(section, profile, protocol);
    let auth = read_auth(section, profile, &endpoint, None);
    let poll = section.duration("poll", Duration::from_secs(1)..=Duration::from_secs(86_400));
    let usual = match protocol {
        MailboxProtocol::Imap => Duration::from_secs(60),
        MailboxProtocol::Pop3 => Duration::from_secs(300),
    };
    let back = section.duration("look_back", Duration::ZERO..=Duration::from_secs(365 * 86_400));
    let folder = section.word("folder").map(|f| f.value);
    if folder.is_some() && protocol == MailboxProtocol::Pop3 {
        section.error(section.place("folder"), "folder", "POP3 knows no folders; leave it out");
    }
    let mailbox = Mailbox {
        name,
        protocol,
        endpoint,
        ca_pem: read_ca(section),
        auth,
        folder: folder.unwrap_or_else(|| "INBOX".into()),
        bounces: read_after(section, "bounces", protocol),
        others: read_after(section, "others", protocol),
        poll: poll.map_or(usual, |p| p.value),
        look_back: back.map_or(Duration::from_secs(7 * 86_400), |b| b.value),
        max_message_bytes: section
            .integer("max_message_bytes", 10_240..=MESSAGE_MAX)
            .and_then(|n| usize::try_from(n.value).ok())
            .unwrap_or(1_048_576),
        login_advice: profile.login_advice,
    };
    if mailbox.others == AfterReading::Delete {
        let place = section.place("others");
        section.error(place, "others", "mail that is no bounce is never deleted; leave or move it");
    }
    Some(mailbox).filter(|m| known.is_some() && !m.name.is_empty() && m.auth != Auth::None)
}

pub(crate) fn find_profile(
    section: &Section<'_>,
    usual: &'static str,
) -> Option<&'static MailProfile> {
    let Some(id) = section.word("profile") else {
        return if section.has("profile") { None } else { mail_profile(usual) };
    };
    let found = mail_profile(&id.value);
    if found.is_none() {
        let near = suggest(&id.value, MAIL_PROFILES.iter().map(|p| p.id));
        section.error(id.at, "profile", format!("{:?} is not known{near}", id.value));
    }
    found
}

pub(crate) fn read_endpoint(
    section: &Section<'_>,
    profile: &MailProfile,
    protocol: MailboxProtocol,
) -> Endpoint {
    let host = section.word("host");
    let port = section.integer("port", 1..=65_535).and_then(|p| u16::try_from(p.value).ok());
    let tls = section.has("tls").then(|| read_tls(section)).flatten();
    section.value("tls");
    let (server, implicit, clear) = match protocol {
        MailboxProtocol::Imap => (profile.imap, 993, 143),
        MailboxProtocol::Pop3 => (profile.pop3, 995, 110),
    };
    let server: Option<Server> = server;
    let tls =
        tls.unwrap_or(if port == Some(clear) { TlsMode::Starttls } else { TlsMode::Implicit });
    let port = port.unwrap_or(match tls {
        TlsMode::Implicit => server.map_or(implicit, |s| s.port),
        TlsMode::Starttls | TlsMode::None => clear,
    });
    let host = match (host, server) {
        (Some(host), _) => host.value,
        (None, Some(server)) => server.host.to_owned(),
        (None, None) => {
            if !section.has("host") {
                let what = match protocol {
                    MailboxProtocol::Imap => "IMAP",
                    MailboxProtocol::Pop3 => "POP3",
                };
                section.missing("host", &format!("where {} has its {what} server", profile.label));
            }
            "127.0.0.1".into()
        }
    };
    if tls == TlsMode::None && !settings::is_loopback(&host) {
        section.error(
            section.place("tls"),
            "tls",
            "\"none\" would send the login in clear text; that is allowed to a loopback address only",
        );
    }
    Endpoint { host, port, tls }
}

/// `usual` stands in for an absent user name, where one can be told.
pub(crate) fn read_auth(
    section: &Section<'_>,
    profile: &MailProfile,
    endpoint: &Endpoint,
    usual: Option<String>,
) -> Auth {
    let username = section.word("username").map(|u| u.value).or(usual);
    let password = secret::read(section, "password");
    let oauth = section.table("oauth", "mailbox.oauth").and_then(|table| read_oauth(&table));
    let command = section.strings("token_command");
    let keys = ["password", "oauth", "token_command"];
    let given: Vec<&str> = keys.into_iter().filter(|key| section.has(key)).collect();
    if let [one, other, ..] = given[..] {
        section.error(
            section.place(other),
            other,
            format!("give one of {one} and {other}, not both"),
        );
    }
    if given.is_empty() {
        let why = "one of password, oauth and token_command logs in";
        section.missing("password", why);
    }
    let Some(username) = username else {
        if !section.has("username") {
            section.missing("username", "the account whose mail is read");
        }
        return Auth::None;
    };
    if profile.passwords == Passwords::Refused
        && section.has("password")
        && !settings::is_loopback(&endpoint.host)
    {
        let message = format!("{} takes no passwords: {}", profile.label, profile.login_advice);
        section.error(section.place("password"), "password", message);
    }
    if let Some(command) = command {
        let command: Vec<String> = command.into_iter().map(|word| word.value).collect();
        if command.first().is_none_or(String::is_empty) {
            section.error(section.place("token_command"), "token_command", "names no program");
        }
        return Auth::TokenCommand { username, command };
    }
    match (oauth, password) {
        (Some(oauth), _) => oauth.with(username),
        (None, Some(password)) => Auth::Password { username, password: password.value },
        (None, None) => Auth::None,
    }
}

/// `"leave"`, `"delete"`, or `{ move = "FOLDER" }`.
fn read_after(section: &Section<'_>, key: &'static str, protocol: MailboxProtocol) -> AfterReading {
    let Some(value) = section.value(key) else { return AfterReading::Leave };
    if value.get_ref().as_table().is_some() {
        let Some(table) = section.table(key, "mailbox.after") else { return AfterReading::Leave };
        let folder: Option<At<String>> = table.word("move");
        if !table.has("move") {
            table.missing("move", "the folder's name");
        }
        table.finish();
        if protocol == MailboxProtocol::Pop3 {
            section.error(section.place(key), key, "POP3 knows no folders: leave or delete it");
        }
        return folder.map_or(AfterReading::Leave, |f| AfterReading::Move(f.value));
    }
    let words = [("leave", AfterWord::Leave), ("delete", AfterWord::Delete)];
    match section.choice(key, &words) {
        Some(AfterWord::Delete) if protocol == MailboxProtocol::Imap => {
            let why = "over IMAP, move it into a folder instead: { move = \"Trash\" }";
            section.error(section.place(key), key, why);
            AfterReading::Leave
        }
        Some(AfterWord::Delete) => AfterReading::Delete,
        Some(AfterWord::Leave) | None => AfterReading::Leave,
    }
}

#[derive(Clone, Copy)]
enum AfterWord {
    Leave,
    Delete,
}
