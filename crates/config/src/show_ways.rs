//! The ways in as `config show` prints them; no field here could hold a secret's text.

use crate::dns::DnsServers;
use crate::hook::{BounceListener, Hook, HookKind, ListenerProtocol};
use crate::mailbox::{AfterReading, Mailbox, MailboxProtocol};
use crate::seed::{PlacementSettings, Seed};
use crate::show::duration;
use postroad_model::relay::{Auth, TlsMode};
use postroad_model::seed::MoreAddresses;
use serde::Serialize;

/// In the form that the file takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum ShownServers {
    Word(&'static str),
    List(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShownDns {
    servers: ShownServers,
}

impl From<&DnsServers> for ShownDns {
    fn from(servers: &DnsServers) -> Self {
        let servers = match servers {
            DnsServers::System => ShownServers::Word("system"),
            DnsServers::These(list) => {
                ShownServers::List(list.iter().map(ToString::to_string).collect())
            }
        };
        Self { servers }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShownMailbox {
    name: String,
    protocol: &'static str,
    host: String,
    port: u16,
    tls: TlsMode,
    username: String,
    folder: String,
    bounces: String,
    others: String,
    poll: String,
    look_back: String,
    max_message_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShownSeed {
    name: String,
    address: String,
    provider: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    plus: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    host: String,
    port: u16,
    tls: TlsMode,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    attributes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShownPlacement {
    missing_after: String,
    revise_until: String,
    /// As it is written: writing it sets a brake, so the default is not shown as if it were.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_inbox: Option<f64>,
    mailboxes_at_once: u32,
}

fn username(auth: &Auth) -> String {
    match auth {
        Auth::None => String::new(),
        Auth::Password { username, .. }
        | Auth::OAuth { username, .. }
        | Auth::TokenCommand { username, .. } => username.clone(),
    }
}

impl From<&Seed> for ShownSeed {
    fn from(s: &Seed) -> Self {
        let planned = &s.planned;
        let aliases = match &planned.more {
            MoreAddresses::None | MoreAddresses::Plus => Vec::new(),
            MoreAddresses::Aliases(aliases) => aliases.iter().map(ToString::to_string).collect(),
        };
        Self {
            name: planned.name.clone(),
            address: planned.address.to_string(),
            provider: planned.provider.as_str(),
            plus: planned.more == MoreAddresses::Plus,
            aliases,
            host: s.mailbox.endpoint.host.clone(),
            port: s.mailbox.endpoint.port,
            tls: s.mailbox.endpoint.tls,
            username: username(&s.mailbox.auth),
            person: planned.person.clone(),
            attributes: planned.attributes.clone(),
        }
    }
}

impl From<&PlacementSettings> for ShownPlacement {
    fn from(p: &PlacementSettings) -> Self {
        Self {
            missing_after: duration(p.missing_after),
            revise_until: duration(p.revise_until),
            min_inbox: p.min_inbox,
            mailboxes_at_once: p.mailboxes_at_once,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShownListener {
    listen: String,
    protocol: &'static str,
    hostname: String,
    domains: Vec<String>,
    max_message_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ShownHook {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    topics: Vec<String>,
}

impl From<&Mailbox> for ShownMailbox {
    fn from(m: &Mailbox) -> Self {
        let after = |a: &AfterReading| match a {
            AfterReading::Leave => "leave".to_owned(),
            AfterReading::Delete => "delete".to_owned(),
            AfterReading::Move(folder) => format!("move to {folder}"),
        };
        Self {
            name: m.name.clone(),
            protocol: match m.protocol {
                MailboxProtocol::Imap => "imap",
                MailboxProtocol::Pop3 => "pop3",
            },
            host: m.endpoint.host.clone(),
            port: m.endpoint.port,
            tls: m.endpoint.tls,
            username: username(&m.auth),
            folder: m.folder.clone(),
            bounces: after(&m.bounces),
            others: after(&m.others),
            poll: format!("{}s", m.poll.as_secs()),
            look_back: format!("{}s", m.look_back.as_secs()),
            max_message_bytes: m.max_message_bytes,
        }
    }
}

impl From<&BounceListener> for ShownListener {
    fn from(l: &BounceListener) -> Self {
        Self {
            listen: l.listen.to_string(),
            protocol: match l.protocol {
                ListenerProtocol::Smtp => "smtp",
                ListenerProtocol::Lmtp => "lmtp",
            },
            hostname: l.hostname.clone(),
            domains: l.domains.iter().map(|d| d.as_str().to_owned()).collect(),
            max_message_bytes: l.max_message_bytes,
        }
    }
}

impl From<&Hook> for ShownHook {
    fn from(h: &Hook) -> Self {
        let topics = if let HookKind::Ses(topics) = &h.kind { topics.clone() } else { Vec::new() };
        let kind = match &h.kind {
            HookKind::Ses(_) => "ses",
            HookKind::SendGrid(_) => "sendgrid",
            HookKind::Mailgun(_) => "mailgun",
            HookKind::Postmark(_) => "postmark",
            HookKind::SparkPost(_) => "sparkpost",
            HookKind::Mailjet(_) => "mailjet",
            HookKind::Brevo(_) => "brevo",
            HookKind::Resend(_) => "resend",
            HookKind::Generic(_) => "generic",
        };
        Self { name: h.name.clone(), kind, topics }
    }
}
