//! The ways in as `config show` prints them; no field here could hold a secret's text.

use crate::dns::DnsServers;
use crate::hook::{BounceListener, Hook, HookKind, ListenerProtocol};
use crate::mailbox::{AfterReading, Mailbox, MailboxProtocol};
use postroad_model::relay::{Auth, TlsMode};
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
        let username = match &m.auth {
            Auth::None => "",
            Auth::Password { username, .. }
            | Auth::OAuth { username, .. }
            | Auth::TokenCommand { username, .. } => username,
        };
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
            username: username.to_owned(),
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
