//! The listener for the bounce domain: SMTP or LMTP, only for addresses that carry a tag of ours.
//!
//! Started by cli's `serve` on each node that is configured so; bounces come from anywhere, or from the Postfix beside it. RFC 5321,
//! RFC 2033 (a reply for each recipient). What must always hold: a message is accepted only after it was recorded;
//! an unknown or forged tag is refused at RCPT with 550 5.1.1, so that nobody can fill the database or relay; sizes,
//! recipients, connections and waits have bounds. It queues nothing and sends nothing.

use crate::{Feedback, Incoming, Source};
use postroad_model::{Domain, EmailAddress, Timestamp};
use postroad_smtpd::{
    Answer, BodyUse, Clock, Envelope, Handler, Limits, Peer, Protocol, Recipient, Replies, Reply,
    Server, ServerSettings,
};
use std::net::SocketAddr;
use std::sync::Arc;

const RECIPIENTS_MAX: usize = 100;
const CONNECTIONS_MAX: usize = 200;
const ERRORS_MAX: u32 = 20;
const IDLE_MS: u64 = 120_000;

/// Which protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// SMTP: the bounce domain's MX points here.
    Smtp,
    /// LMTP: a mail server hands bounces over.
    Lmtp,
}

/// How it is set up.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Which protocol.
    pub speaks: Speaks,
    /// What it calls itself.
    pub hostname: String,
    /// The bounce domains.
    pub domains: Vec<Domain>,
    /// Addresses that take unsubscribe mails, with or without a plus-tag.
    pub unsubscribe: Vec<EmailAddress>,
    /// The largest message that is accepted; no more than `MAX_READ` of it is read.
    pub octets_max: usize,
}

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for bounces on {listen}: {source}; another program may have the port, or ports below 1024 need a right"
)]
pub struct ListenError {
    listen: SocketAddr,
    source: postroad_smtpd::Error,
}

/// A listener that works. Dropping it ends its connections.
pub struct Listener(Server);

impl Listener {
    /// Starts one.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(
        settings: ListenerSettings,
        feedback: Arc<Feedback>,
        clock: Clock,
    ) -> Result<Self, ListenError> {
        let listen = settings.listen;
        let limits = Limits {
            line_bytes_max: 4_096,
            message_bytes_max: settings.octets_max as u64,
            recipients_max: RECIPIENTS_MAX,
            connections_max: CONNECTIONS_MAX,
            errors_max: ERRORS_MAX,
            idle_ms_max: IDLE_MS,
        };
        let protocol = match settings.speaks {
            Speaks::Smtp => Protocol::Smtp,
            Speaks::Lmtp => Protocol::Lmtp,
        };
        let server = ServerSettings {
            hostname: settings.hostname.clone(),
            protocol,
            limits,
            ..ServerSettings::new("bounces", clock)
        };
        let door = Door { settings, feedback };
        let bound = Server::bind(listen, server, Arc::new(door)).await;
        bound.map(Self).map_err(|source| ListenError { listen, source })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Stops listening; returns when what was being taken is recorded.
    pub async fn stop(self) {
        self.0.shutdown().await;
    }
}

struct Door {
    settings: ListenerSettings,
    feedback: Arc<Feedback>,
}

const OURS: Reply = Reply::new(250, (2, 1, 5), "Recipient ok");
const NOBODY: Reply = Reply::new(550, (5, 1, 1), "No such address here: it carries no tag of ours");
const ELSEWHERE: Reply =
    Reply::new(550, (5, 7, 1), "This host takes bounces for its own domains only");
const RECORDED: Reply = Reply::new(250, (2, 0, 0), "Recorded");
const LATER: Reply = Reply::new(451, (4, 3, 0), "Cannot record it now, try again later");

impl Door {
    fn recipient(&self, address: &str) -> Reply {
        let Some((local, domain)) = address.rsplit_once('@') else { return NOBODY };
        if self.settings.unsubscribe.iter().any(|known| is_unsubscribe(known, local, domain)) {
            return OURS;
        }
        let known = Domain::parse(domain).is_ok_and(|d| self.settings.domains.contains(&d));
        if !known {
            return ELSEWHERE;
        }
        if self.feedback.is_tag(local) { OURS } else { NOBODY }
    }

    async fn record(&self, recipient: &str, bytes: &[u8], now: Timestamp) -> Reply {
        let mail = Incoming::Mail {
            bytes: bytes.to_vec(),
            envelope_to: Some(recipient.to_owned()),
            source: Source::Listener,
        };
        match self.feedback.take(mail, now).await {
            Ok(taken) => {
                tracing::debug!(reports = taken.outcomes.len(), "a mail came in for a tag of ours");
                RECORDED
            }
            Err(error) => {
                tracing::warn!(%error, "a bounce could not be recorded; its sender tries again");
                LATER
            }
        }
    }
}

/// True for the address itself and for the same one with a plus-tag.
fn is_unsubscribe(known: &EmailAddress, local: &str, domain: &str) -> bool {
    let base = local.split('+').next().unwrap_or(local);
    Domain::parse(domain).is_ok_and(|d| d == *known.domain())
        && base.eq_ignore_ascii_case(known.local())
}

impl Handler for Door {
    fn wants(&self) -> BodyUse {
        BodyUse::Whole
    }

    fn rcpt<'a>(
        &'a self,
        _at_ms: i64,
        _peer: &'a Peer,
        _envelope: &'a Envelope,
        recipient: &'a Recipient,
    ) -> Answer<'a> {
        Answer::Now(self.recipient(&recipient.address))
    }

    fn message<'a>(
        &'a self,
        at_ms: i64,
        _peer: &'a Peer,
        envelope: &'a Envelope,
        bytes: &'a [u8],
        _size: u64,
    ) -> Answer<'a, Replies> {
        Answer::Later(Box::pin(async move {
            let mut replies = Vec::with_capacity(envelope.rcpts.len());
            for recipient in &envelope.rcpts {
                replies.push(self.record(&recipient.address, bytes, Timestamp(at_ms)).await);
            }
            Replies::Each(replies)
        }))
    }
}
