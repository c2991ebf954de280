//! Webhooks of providers: what they tell of bounces, complaints and deliveries, verified, in our words.
//!
//! `web` hands a POST over, `cli` wires the two; the events go to [`Feedback::take`]. One module per provider reads its
//! JSON (RFC 8259); `verify` has what signatures and secrets need. What must always hold: nothing is believed before it is verified;
//! a body is answered with success only after all its events are recorded, so that providers send it again otherwise;
//! the same event told twice is recorded once, by its delivery, copy and meaning; bodies, events and texts have bounds;
//! nothing is fetched but from Amazon's notification hosts. It opens no listener and reads no clock.

mod brevo;
#[cfg(test)]
mod fuzz;
mod generic;
mod json;
mod mailgun;
mod mailjet;
mod postmark;
mod resend;
mod sendgrid;
mod ses;
mod sns;
mod sparkpost;
#[cfg(test)]
mod tests;
mod verify;

use crate::incoming::{Incoming, ProviderEvent, Source};
use crate::{Feedback, Taken};
use postroad_model::{Secret, Timestamp};
use serde_json::Value;
use sns::Certificates;
use std::pin::Pin;
use std::sync::Arc;

pub use verify::{KeyError, PublicKey};

/// The largest body that is read.
pub const MAX_BODY: usize = 2 * 1024 * 1024;
/// Events of one body; providers batch some hundreds.
const MAX_EVENTS: usize = 20_000;
/// How far a signed time may lie from ours.
pub(crate) const TOLERANCE_MS: i64 = 5 * 60_000;

/// One webhook of the configuration.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name: the last part of its address.
    pub name: String,
    /// Who calls, and how we know.
    pub kind: HookKind,
}

/// Who calls, and how we know that it is they.
#[derive(Clone, Debug)]
pub enum HookKind {
    /// Amazon SES through SNS: signed with a certificate of Amazon's, about a topic of ours.
    Ses {
        /// The ARNs of our topics.
        topics: Vec<String>,
    },
    /// SendGrid: signed with ECDSA.
    SendGrid {
        /// The public key that its console shows.
        key: PublicKey,
    },
    /// Mailgun: HMAC of a time and a token.
    Mailgun {
        /// The account's webhook signing key.
        key: Secret,
    },
    /// Postmark, with a login of ours.
    Postmark(Shared),
    /// SparkPost, with a login of ours.
    SparkPost(Shared),
    /// Mailjet, with a login of ours.
    Mailjet(Shared),
    /// Brevo, with a login of ours.
    Brevo(Shared),
    /// Resend: signed as svix does it.
    Resend {
        /// `whsec_...`.
        secret: Secret,
    },
    /// Anybody who speaks our own JSON: HMAC of time and body.
    Generic {
        /// The shared secret.
        secret: Secret,
    },
}

/// What a provider that does not sign must bring along.
#[derive(Clone, Debug)]
pub enum Shared {
    /// HTTP basic authentication (RFC 7617).
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token: as bearer, in the header `X-Postroad-Token`, or as `?token=`.
    Token(Secret),
}

/// A request, as much of it as matters.
#[derive(Clone, Debug)]
pub struct Request {
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What stands behind the question mark.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first field of a name (in lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such hook.
    #[error("there is no webhook of this name; [[hook]] of the configuration names them")]
    Unknown,
    /// It is not who it says.
    #[error("not verified: {0}")]
    Forged(&'static str),
    /// It is verified, and cannot be understood.
    #[error("not understood: {0}")]
    Malformed(String),
    /// Too much at once.
    #[error("more than {MAX_BODY} octets or {MAX_EVENTS} events")]
    TooLarge,
    /// It cannot be recorded now; the provider sends it again.
    #[error("not recorded: {0}")]
    Later(String),
}

impl Refusal {
    /// The HTTP status. Providers repeat what is answered with 5xx, and give up on most of 4xx.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Unknown => 404,
            Self::Forged(_) => 401,
            Self::Malformed(_) => 400,
            Self::TooLarge => 413,
            Self::Later(_) => 503,
        }
    }
}

/// A fetch that is under way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
/// Gets what lies at an https address, bounded in time and size.
pub type Fetch = Arc<dyn Fn(String) -> Fetching + Send + Sync>;

/// All hooks of the configuration.
pub struct Hooks {
    feedback: Arc<Feedback>,
    hooks: Vec<Hook>,
    verifier: Verifier,
}

/// What verifying remembers.
struct Verifier {
    certificates: Certificates,
    fetch: Fetch,
    mailgun: mailgun::Tokens,
}

impl Hooks {
    /// For these hooks.
    #[must_use]
    pub fn new(feedback: Arc<Feedback>, hooks: Vec<Hook>, fetch: Fetch) -> Self {
        Self { feedback, hooks, verifier: Verifier::new(fetch) }
    }

    /// Takes a request for the hook of this name: verified, recorded, then answered.
    ///
    /// # Errors
    /// Why nothing, or not all of it, was taken.
    pub async fn receive(
        &self,
        name: &str,
        request: &Request,
        now: Timestamp,
    ) -> Result<Taken, Refusal> {
        let hook = self.hooks.iter().find(|hook| hook.name == name).ok_or(Refusal::Unknown)?;
        let events = self.verifier.events(&hook.kind, request, now).await?;
        if events.is_empty() {
            return Ok(Taken::default());
        }
        let source = Source::Hook(hook.name.clone());
        let taken = self.feedback.take(Incoming::Provider { events, source }, now).await;
        taken.map_err(|error| Refusal::Later(error.to_string()))
    }
}

impl Verifier {
    fn new(fetch: Fetch) -> Self {
        let (certificates, mailgun) = (Certificates::default(), mailgun::Tokens::default());
        Self { certificates, fetch, mailgun }
    }

    /// The events of a request that was verified, every text of them within its bound.
    async fn events(
        &self,
        kind: &HookKind,
        request: &Request,
        now: Timestamp,
    ) -> Result<Vec<ProviderEvent>, Refusal> {
        if request.body.len() > MAX_BODY {
            return Err(Refusal::TooLarge);
        }
        let mut events = self.read(kind, request, now).await?;
        if events.len() > MAX_EVENTS {
            return Err(Refusal::TooLarge);
        }
        events.iter_mut().for_each(json::bound);
        Ok(events)
    }

    async fn read(
        &self,
        kind: &HookKind,
        request: &Request,
        now: Timestamp,
    ) -> Result<Vec<ProviderEvent>, Refusal> {
        match kind {
            HookKind::Ses { topics } => {
                let told = sns::read(request, topics, &self.certificates, &self.fetch).await?;
                match told {
                    sns::Told::Subscribed => Ok(Vec::new()),
                    sns::Told::Message { id, text } => Ok(ses::events(&id, &text)),
                }
            }
            HookKind::SendGrid { key } => {
                sendgrid::verify(request, key, now)?;
                Ok(sendgrid::events(&parsed(request)?))
            }
            HookKind::Mailgun { key } => {
                let body = parsed(request)?;
                self.mailgun.verify(&body, &request.body, key, now)?;
                Ok(mailgun::events(&body))
            }
            HookKind::Postmark(shared) => {
                verify::shared(request, shared)?;
                Ok(postmark::events(&parsed(request)?))
            }
            HookKind::SparkPost(shared) => {
                verify::shared(request, shared)?;
                Ok(sparkpost::events(&parsed(request)?))
            }
            HookKind::Mailjet(shared) => {
                verify::shared(request, shared)?;
                Ok(mailjet::events(&parsed(request)?))
            }
            HookKind::Brevo(shared) => {
                verify::shared(request, shared)?;
                Ok(brevo::events(&parsed(request)?))
            }
            HookKind::Resend { secret } => {
                let id = resend::verify(request, secret, now)?;
                Ok(resend::events(&id, &parsed(request)?))
            }
            HookKind::Generic { secret } => {
                generic::verify(request, secret, now)?;
                generic::events(&parsed(request)?).map_err(Refusal::Malformed)
            }
        }
    }
}

fn parsed(request: &Request) -> Result<Value, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| Refusal::Malformed(error.to_string()))
}
