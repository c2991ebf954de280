//! The ways in which mail comes back: watched mailboxes, the bounce listener, webhooks; from configuration to tasks.
//!
//! `serve` starts them beside the engine and stops them before the store closes; `doctor` and `mailbox check`
//! use the same accesses. Every node watches every mailbox: the lease of its job says which one works.

use super::credentials::Authorities;
use anyhow::{Context as _, Result};
use postroad_config::{
    AfterReading, Config, HookKind as ConfiguredKind, HookLogin, ListenerProtocol, Mailbox,
    MailboxProtocol,
};
use postroad_feedback::Feedback;
use postroad_feedback::ways::{
    After, Listener, ListenerSettings, MailProtocol, Speaks, Watch, watch,
};
use postroad_feedback::webhook::{Fetch, Hook, HookKind, Hooks, PublicKey, Shared};
use postroad_http::{HttpClient, Roots, TokenSource};
use postroad_mailbox::{Access, Login, OpenAccess, Timeouts};
use postroad_model::relay::Auth;
use postroad_model::{Clock, EmailAddress, NodeId};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a watcher may take to end: a server may be slow with a message.
const PATIENCE: Duration = Duration::from_secs(15);

/// The ways that run.
pub struct Ways {
    stop: CancellationToken,
    watchers: Vec<JoinHandle<()>>,
    listener: Option<Listener>,
}

impl Ways {
    /// Starts the watchers and the listener of a configuration.
    pub async fn start(
        config: &Config,
        feedback: &Arc<Feedback>,
        node: NodeId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let listener = match listener_settings(config) {
            Some(settings) => {
                let ticking = clock.clone();
                let now = Arc::new(move || ticking.now().0);
                Some(Listener::start(settings, feedback.clone(), now).await?)
            }
            None => None,
        };
        let stop = CancellationToken::new();
        let mut authorities = Authorities::default();
        let mut watchers = Vec::new();
        for mailbox in &config.mailboxes {
            let watched = watched(mailbox, &mut authorities, &clock)?;
            let (feedback, clock, stop) = (feedback.clone(), clock.clone(), stop.clone());
            watchers.push(tokio::spawn(async move {
                let heard = |event| tracing::debug!(mailbox = watched.name, ?event, "watching");
                watch(&watched, &feedback, node, &*clock, &stop, &heard).await;
            }));
        }
        Ok(Self { stop, watchers, listener })
    }

    /// Ends them: each finishes the message that it has in hand.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Some(listener) = self.listener {
            listener.stop().await;
        }
        for mut watcher in self.watchers {
            match tokio::time::timeout(PATIENCE, &mut watcher).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "the watcher of a mailbox ended with a fault");
                }
                // What was not recorded is read again at the next start.
                Err(_) => watcher.abort(),
            }
        }
    }
}

/// True to what the configuration says, before anything is sent: nobody else listens there.
pub fn check_listener(config: &Config) -> std::io::Result<()> {
    match &config.bounce_listener {
        Some(listener) => std::net::TcpListener::bind(listener.listen).map(drop),
        None => Ok(()),
    }
}

fn listener_settings(config: &Config) -> Option<ListenerSettings> {
    let listener = config.bounce_listener.as_ref()?;
    let unsubscribe = config.domains.iter().filter_map(|d| d.unsubscribe_mailto.as_deref());
    Some(ListenerSettings {
        listen: listener.listen,
        speaks: match listener.protocol {
            ListenerProtocol::Smtp => Speaks::Smtp,
            ListenerProtocol::Lmtp => Speaks::Lmtp,
        },
        hostname: listener.hostname.clone(),
        domains: listener.domains.clone(),
        unsubscribe: unsubscribe.filter_map(|a| EmailAddress::parse(a).ok()).collect(),
        octets_max: listener.max_message_bytes,
    })
}

fn watched(
    mailbox: &Mailbox,
    authorities: &mut Authorities,
    clock: &Arc<dyn Clock>,
) -> Result<Watch> {
    Ok(Watch {
        name: mailbox.name.clone(),
        protocol: match mailbox.protocol {
            MailboxProtocol::Imap => MailProtocol::Imap,
            MailboxProtocol::Pop3 => MailProtocol::Pop3,
        },
        access: access(mailbox, authorities, clock)?,
        folder: mailbox.folder.clone(),
        bounces: after(&mailbox.bounces),
        others: after(&mailbox.others),
        poll: mailbox.poll,
        look_back: mailbox.look_back,
        octets_max: mailbox.max_message_bytes,
    })
}

fn after(configured: &AfterReading) -> After {
    match configured {
        AfterReading::Leave => After::Leave,
        AfterReading::Move(folder) => After::Move(folder.clone()),
        AfterReading::Delete => After::Delete,
    }
}

/// How a mailbox is opened: with its password, or with a token that is fetched when it is due.
pub fn access(
    mailbox: &Mailbox,
    authorities: &mut Authorities,
    clock: &Arc<dyn Clock>,
) -> Result<OpenAccess> {
    let what = format!("mailbox {}", mailbox.name);
    let tls = authorities.for_peer(&what, mailbox.ca_pem.as_deref(), mailbox.endpoint.tls)?;
    let tokens = match &mailbox.auth {
        Auth::None | Auth::Password { .. } => None,
        auth @ (Auth::OAuth { .. } | Auth::TokenCommand { .. }) => {
            let client = HttpClient::new(Roots::System)?;
            Some(Arc::new(TokenSource::new(auth, &client).with_context(|| what.clone())?))
        }
    };
    let (mailbox, clock) = (Arc::new(mailbox.clone()), clock.clone());
    Ok(Arc::new(move || {
        let (mailbox, tls, tokens, clock) =
            (mailbox.clone(), tls.clone(), tokens.clone(), clock.clone());
        Box::pin(async move {
            let login = match (&mailbox.auth, tokens) {
                (Auth::Password { username, password }, _) => {
                    Login::Password { username: username.clone(), password: password.clone() }
                }
                (
                    Auth::OAuth { username, .. } | Auth::TokenCommand { username, .. },
                    Some(tokens),
                ) => {
                    let token = tokens.token(clock.now()).await.map_err(|e| e.to_string())?;
                    Login::Bearer { username: username.clone(), token }
                }
                (Auth::None | Auth::OAuth { .. } | Auth::TokenCommand { .. }, _) => {
                    return Err("the configuration gives it no login".into());
                }
            };
            Ok(Access {
                endpoint: mailbox.endpoint.clone(),
                tls,
                login,
                timeouts: Timeouts::default(),
                login_advice: mailbox.login_advice.to_owned(),
            })
        })
    }))
}

/// The webhooks of a configuration; `None` when it has none.
pub fn hooks(config: &Config, feedback: &Arc<Feedback>) -> Result<Option<Arc<Hooks>>> {
    if config.hooks.is_empty() {
        return Ok(None);
    }
    let hooks: Vec<Hook> = config.hooks.iter().map(hook).collect::<Result<_>>()?;
    Ok(Some(Arc::new(Hooks::new(feedback.clone(), hooks, fetch()?))))
}

/// Webhooks and mailboxes that cannot be made, for `config check` and before `serve` sends anything.
pub fn check_ways(config: &Config, clock: &Arc<dyn Clock>) -> Vec<anyhow::Error> {
    let hooks = config.hooks.iter().filter_map(|configured| hook(configured).err());
    let mut authorities = Authorities::default();
    let mailboxes = config.mailboxes.iter().chain(config.seeds.iter().map(|s| &s.mailbox));
    let mailboxes = mailboxes.filter_map(|m| access(m, &mut authorities, clock).err());
    hooks.chain(mailboxes).collect()
}

fn hook(configured: &postroad_config::Hook) -> Result<Hook> {
    let name = configured.name.clone();
    let kind = kind(&configured.kind).with_context(|| format!("hook[{name}]"))?;
    Ok(Hook { name, kind })
}

fn fetch() -> Result<Fetch> {
    let client = HttpClient::new(Roots::System)?;
    Ok(Arc::new(move |url: String| {
        let client = client.clone();
        Box::pin(async move { client.get(&url).await.map_err(|error| error.to_string()) })
    }))
}

fn kind(configured: &ConfiguredKind) -> Result<HookKind> {
    let shared = |login: &HookLogin| match login {
        HookLogin::Basic { username, password } => {
            Shared::Basic { username: username.clone(), password: password.clone() }
        }
        HookLogin::Token(token) => Shared::Token(token.clone()),
    };
    Ok(match configured {
        ConfiguredKind::Ses(topics) => HookKind::Ses { topics: topics.clone() },
        ConfiguredKind::SendGrid(key) => {
            HookKind::SendGrid { key: PublicKey::parse(key.expose()).context("secret")? }
        }
        ConfiguredKind::Mailgun(key) => HookKind::Mailgun { key: key.clone() },
        ConfiguredKind::Postmark(login) => HookKind::Postmark(shared(login)),
        ConfiguredKind::SparkPost(login) => HookKind::SparkPost(shared(login)),
        ConfiguredKind::Mailjet(login) => HookKind::Mailjet(shared(login)),
        ConfiguredKind::Brevo(login) => HookKind::Brevo(shared(login)),
        ConfiguredKind::Resend(secret) => HookKind::Resend { secret: secret.clone() },
        ConfiguredKind::Generic(secret) => HookKind::Generic { secret: secret.clone() },
    })
}
