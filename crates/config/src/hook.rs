//! `[[hook]]` and `[bounce_listener]`: webhooks of providers, and the door for the bounce domain's mail.
//!
//! cli makes `feedback`'s hooks and listener of them. Keys and secrets are read here and judged where they are used.

use crate::problem::suggest;
use crate::secret;
use crate::section::Section;
use postroad_model::relay::SendingDomain;
use postroad_model::{Domain, Secret};
use std::net::SocketAddr;

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name: it is called at `/hook/NAME`.
    pub name: String,
    /// Who calls, and how we know that it is they.
    pub kind: HookKind,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Amazon SES through SNS, about these topics.
    Ses(Vec<String>),
    /// SendGrid, with its public key.
    SendGrid(Secret),
    /// Mailgun, with its signing key.
    Mailgun(Secret),
    /// Postmark.
    Postmark(HookLogin),
    /// SparkPost.
    SparkPost(HookLogin),
    /// Mailjet.
    Mailjet(HookLogin),
    /// Brevo.
    Brevo(HookLogin),
    /// Resend, with its signing secret.
    Resend(Secret),
    /// Our own JSON, with a shared secret.
    Generic(Secret),
}

/// What a provider that does not sign must bring along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookLogin {
    /// HTTP basic authentication.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
}

#[derive(Clone, Copy)]
enum Word {
    Ses,
    SendGrid,
    Mailgun,
    Postmark,
    SparkPost,
    Mailjet,
    Brevo,
    Resend,
    Generic,
}

const KINDS: &[(&str, Word)] = &[
    ("ses", Word::Ses),
    ("sendgrid", Word::SendGrid),
    ("mailgun", Word::Mailgun),
    ("postmark", Word::Postmark),
    ("sparkpost", Word::SparkPost),
    ("mailjet", Word::Mailjet),
    ("brevo", Word::Brevo),
    ("resend", Word::Resend),
    ("generic", Word::Generic),
];

/// Reads all `[[hook]]` tables.
pub(crate) fn hooks(root: &Section<'_>) -> Vec<Hook> {
    let mut list: Vec<Hook> = Vec::new();
    for mut section in root.tables("hook", "hook") {
        let name = section.name("name");
        if let Some(name) = &name {
            section.named(&name.value);
            if list.iter().any(|h| h.name == name.value) {
                section.error(name.at, "name", format!("a second hook named {:?}", name.value));
            }
        } else if !section.has("name") {
            section.missing("name", "the last part of its address, /hook/NAME");
        }
        let kind = read_kind(&section);
        section.finish();
        if let (Some(name), Some(kind)) = (name, kind) {
            list.push(Hook { name: name.value, kind });
        }
    }
    list
}

fn read_kind(section: &Section<'_>) -> Option<HookKind> {
    if !section.has("kind") {
        let all: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
        section.missing("kind", &format!("who calls; one of {}", all.join(", ")));
    }
    let word = section.choice("kind", KINDS);
    let topics = section.strings("topics");
    let secret = secret::read(section, "secret").map(|s| s.value);
    let login = read_login(section);
    let word = word?;
    refuse_needless(section, word);
    let secret = |why: &str| {
        if !section.has("secret") {
            section.missing("secret", why);
        }
        secret.clone()
    };
    let login = |make: fn(HookLogin) -> HookKind| {
        if login.is_none() && !section.has("token") && !section.has("password") {
            let why =
                "it does not sign, so give token, or username and password, and tell it the same";
            section.missing("token", why);
        }
        login.clone().map(make)
    };
    match word {
        Word::Ses => {
            let topics = topics.unwrap_or_default();
            for topic in topics.iter().filter(|t| !t.value.starts_with("arn:aws")) {
                let message = format!("{:?} is no ARN of a topic, arn:aws:sns:…", topic.value);
                section.error(topic.at, "topics", message);
            }
            if topics.is_empty() {
                section.missing("topics", "the ARNs of your SNS topics, [\"arn:aws:sns:…\"]");
            }
            Some(HookKind::Ses(topics.into_iter().map(|t| t.value).collect()))
        }
        Word::SendGrid => secret("the public key that signed events show").map(HookKind::SendGrid),
        Word::Mailgun => secret("the account's HTTP webhook signing key").map(HookKind::Mailgun),
        Word::Resend => secret("the webhook's signing secret, whsec_…").map(HookKind::Resend),
        Word::Generic => {
            secret("what both sides know, 32 characters or more").map(HookKind::Generic)
        }
        Word::Postmark => login(HookKind::Postmark),
        Word::SparkPost => login(HookKind::SparkPost),
        Word::Mailjet => login(HookKind::Mailjet),
        Word::Brevo => login(HookKind::Brevo),
    }
}

/// A key that this kind has no use for would make believe that it protects something.
fn refuse_needless(section: &Section<'_>, word: Word) {
    let used: &[&str] = match word {
        Word::Ses => &["topics"],
        Word::SendGrid | Word::Mailgun | Word::Resend | Word::Generic => &["secret"],
        Word::Postmark | Word::SparkPost | Word::Mailjet | Word::Brevo => {
            &["token", "username", "password"]
        }
    };
    for key in ["topics", "secret", "token", "username", "password"] {
        if section.has(key) && !used.contains(&key) {
            let near = suggest(key, used.iter().copied());
            section.error(section.place(key), key, format!("has no use for this kind{near}"));
        }
    }
}

fn read_login(section: &Section<'_>) -> Option<HookLogin> {
    let token = secret::read(section, "token");
    let username = section.word("username");
    let password = secret::read(section, "password");
    if let (Some(_), Some(username)) = (&token, &username) {
        section.error(username.at, "username", "give token, or username and password, not both");
    }
    match (token, username, password) {
        (Some(token), _, _) => Some(HookLogin::Token(token.value)),
        (None, Some(username), Some(password)) => {
            Some(HookLogin::Basic { username: username.value, password: password.value })
        }
        (None, Some(_), None) => {
            if !section.has("password") {
                section.missing("password", "a user name alone protects nothing");
            }
            None
        }
        (None, None, _) => {
            if section.has("password") && !section.has("username") {
                section.missing("username", "it belongs to the password");
            }
            None
        }
    }
}

/// Which protocol the listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// SMTP.
    Smtp,
    /// LMTP.
    Lmtp,
}

/// `[bounce_listener]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BounceListener {
    /// Address and port.
    pub listen: SocketAddr,
    /// SMTP or LMTP.
    pub protocol: ListenerProtocol,
    /// What it calls itself.
    pub hostname: String,
    /// The bounce domains.
    pub domains: Vec<Domain>,
    /// The largest message.
    pub max_message_bytes: usize,
}

/// Reads `[bounce_listener]`; the domains are those of `[[domain]]` unless it names its own.
pub(crate) fn bounce_listener(
    root: &Section<'_>,
    sending: &[SendingDomain],
) -> Option<BounceListener> {
    let section = root.table("bounce_listener", "bounce_listener")?;
    let listen = section.word("listen");
    if !section.has("listen") {
        section.missing("listen", "address and port, e.g. \"127.0.0.1:8724\"");
    }
    let listen = listen.and_then(|text| {
        let parsed = text.value.parse::<SocketAddr>();
        let why = format!("{:?} is no address and port, e.g. \"127.0.0.1:8724\"", text.value);
        parsed.map_err(|_| section.error(text.at, "listen", why)).ok()
    });
    let words = [("smtp", ListenerProtocol::Smtp), ("lmtp", ListenerProtocol::Lmtp)];
    let protocol = section.choice("protocol", &words).unwrap_or(ListenerProtocol::Smtp);
    let named = section.strings("domains");
    let mut domains: Vec<Domain> = Vec::new();
    for text in named.iter().flatten() {
        match Domain::parse(&text.value) {
            Ok(domain) => domains.push(domain),
            Err(why) => section.error(text.at, "domains", why.to_string()),
        }
    }
    if named.is_none() {
        domains = sending.iter().filter_map(|d| d.bounce_domain.clone()).collect();
        domains.dedup();
    }
    if domains.is_empty() {
        let why = "which bounce domains it takes mail for: give a [[domain]] its bounce_domain";
        section.missing("domains", why);
    }
    let usual = domains.first().map(|d| d.as_str().to_owned()).unwrap_or_default();
    let hostname = section.word("hostname").map_or(usual, |h| h.value);
    let max = section.integer("max_message_bytes", 10_240..=16_777_216);
    section.finish();
    let max_message_bytes =
        max.and_then(|n| usize::try_from(n.value).ok()).unwrap_or(4 * 1_048_576);
    Some(BounceListener { listen: listen?, protocol, hostname, domains, max_message_bytes })
}
