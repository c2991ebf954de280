//! Relays, profiles, pools and identities: through what and as whom a message is sent.
//!
//! A profile holds what is known of an operator; a relay is one account there with the operator's own numbers.
//! `config` fills these types, `delivery`, `planner`, `campaign` and `bounce` read them.

use crate::address::Mailbox;
use crate::limit::Limit;
use crate::{Domain, EmailAddress, EnhancedStatus, Secret};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How TLS starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// STARTTLS, refused when not offered (RFC 3207).
    Starttls,
    /// Clear text: for loopback and trusted networks only.
    None,
}

/// One way to reach a relay.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name, also the name in the certificate.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How TLS starts.
    pub tls: TlsMode,
}

/// How we log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// No AUTH.
    None,
    /// PLAIN, LOGIN or CRAM-MD5, the best that is offered.
    Password {
        /// The account.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// XOAUTH2 with a token from a token endpoint (RFC 6749 section 6).
    OAuth {
        /// The account.
        username: String,
        /// https address of the token endpoint.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: Secret,
        /// The refresh token.
        refresh_token: Secret,
    },
    /// XOAUTH2 with a token that a command prints.
    TokenCommand {
        /// The account.
        username: String,
        /// Program and arguments; no shell.
        command: Vec<String>,
    },
}

/// What a relay may send as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Senders {
    /// It sends as itself; the campaign's From becomes Reply-To.
    Itself(Mailbox),
    /// It sends as any address of these domains (and their subdomains).
    Domains(Vec<Domain>),
    /// No restriction is known: an own server or the sink.
    Any,
}

/// Habits of an operator that the rest of the program must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Habits {
    /// MAIL FROM is replaced by the account's address: VERP does not survive.
    pub forces_envelope: bool,
    /// Message-ID is replaced.
    pub rewrites_message_id: bool,
    /// The operator signs with its own DKIM key.
    pub signs: bool,
    /// A copy of each message goes into the account's Sent folder.
    pub saves_sent: bool,
    /// Every From must be verified at the operator first.
    pub needs_verified_sender: bool,
}

/// A rule of a profile on what a reply means; the first that matches counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyRule {
    /// The code; absent: any.
    #[serde(default)]
    pub code: Option<u16>,
    /// The enhanced status; absent: any.
    #[serde(default, with = "status_text")]
    pub enhanced: Option<EnhancedStatus>,
    /// A part of the text, without regard to case; absent: any.
    #[serde(default)]
    pub text: Option<String>,
    /// What it means.
    pub means: ReplyMeaning,
    /// The name of the limit that it speaks of.
    #[serde(default)]
    pub limit: Option<String>,
    /// Seconds to pause, where the operator says so.
    #[serde(default)]
    pub pause_seconds: Option<u32>,
}

/// What a profile's rule says of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyMeaning {
    /// A quota of the account is used up.
    Quota,
    /// Too fast: pause shortly.
    Throttle,
    /// Credentials refused.
    Login,
    /// The account is suspended or blocked.
    Block,
    /// The From or MAIL FROM is not allowed.
    Sender,
    /// The operator's own suppression list refused the recipient.
    Suppressed,
    /// Close this connection and open another.
    Connection,
}

mod status_text {
    use crate::EnhancedStatus;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(v: &Option<EnhancedStatus>, s: S) -> Result<S::Ok, S::Error> {
        match v {
            Some(status) => s.collect_str(status),
            None => s.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<EnhancedStatus>, D::Error> {
        Option::<String>::deserialize(d)?
            .map(|t| {
                EnhancedStatus::parse(&t)
                    .ok_or_else(|| D::Error::custom(format!("{t:?} is not x.y.z")))
            })
            .transpose()
    }
}

/// What is open at once, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConnectionLimits {
    /// Connections open at once.
    pub max_connections: u32,
    /// Messages on one connection before it is closed; absent: no bound is known.
    pub max_messages_per_connection: Option<u32>,
    /// Close a connection that was idle this long.
    pub idle: Duration,
}

/// One SMTP endpoint plus account that we send through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The operator's name for it, unique; labels metrics and reports.
    pub name: String,
    /// The profile's id, e.g. `gmail`.
    pub profile: String,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// PEM file with the only CA that may have signed its certificate; absent: the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// How to log in.
    pub auth: Auth,
    /// What it may send as.
    pub senders: Senders,
    /// Relays with the same group share one account and its limits.
    pub quota_group: Option<String>,
    /// All limits, `reserve` already taken off.
    pub limits: Vec<Limit>,
    /// How many connections and messages.
    pub connections: ConnectionLimits,
    /// Largest message in octets, where known.
    pub max_message_bytes: Option<u64>,
    /// The operator's habits.
    pub habits: Habits,
    /// The profile's rules on replies, then general ones.
    pub reply_rules: Vec<ReplyRule>,
    /// True when the operator's terms allow bulk mail.
    pub bulk_allowed: bool,
}

impl Relay {
    /// The scope that its limits are counted in: the quota group, or the relay alone.
    #[must_use]
    pub fn limit_scope(&self) -> String {
        match &self.quota_group {
            Some(group) => format!("group:{group}"),
            None => format!("relay:{}", self.name),
        }
    }
}

/// A named set of relays that may serve the same mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Names of its relays.
    pub relays: Vec<String>,
}

/// A sending domain with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendingDomain {
    /// The domain in From.
    pub name: Domain,
    /// DKIM keys: selector and key file.
    pub dkim: Vec<DkimKeyRef>,
    /// Domain of MAIL FROM (VERP); absent: the bare From address is used.
    pub bounce_domain: Option<Domain>,
    /// Where unsubscribe mails go.
    pub unsubscribe_mailto: Option<String>,
    /// Postal address for the foot of each message.
    pub postal_address: Option<String>,
}

/// Where a DKIM key lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimKeyRef {
    /// The selector.
    pub selector: String,
    /// The PEM file.
    pub key_file: std::path::PathBuf,
}

/// What a message is sent as: bound to a row when the recipient's side first answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The From field.
    pub from: Mailbox,
    /// Reply-To, where it differs.
    pub reply_to: Option<Mailbox>,
    /// MAIL FROM.
    pub mail_from: EmailAddress,
}
