//! The program behind a sink: replies as scripted, everything recorded, messages kept if wanted.
//!
//! One implementation of [`Handler`]; started by `postroad sink`, the demo and tests. What always holds:
//! an acceptance is recorded before its 250; if that fails the reply is 451 and the message is not taken.
//! Kept files are for looking at, the records are what counts: a file that cannot be kept is only logged.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    behaviour::Phase,
    body::{BodyUse, HeadFields},
    envelope::{Envelope, Peer, Recipient},
    folder::MailFolder,
    handler::{Answer, Handler, Replies},
    policy::Policy,
    recorder::{Event, Recorder},
    reply::Reply,
    settings::{Protocol, ServerSettings},
};

const SENDER_OK: Reply = Reply::new(250, (2, 1, 0), "Sender ok");
const RECIPIENT_OK: Reply = Reply::new(250, (2, 1, 5), "Recipient ok");
const ACCEPTED: Reply = Reply::new(250, (2, 0, 0), "Ok: queued");
const CANNOT_RECORD: Reply =
    Reply::new(451, (4, 3, 0), "Cannot write this down; is the disk of the sink full?");

/// A server that takes mail to count it, not to deliver it.
pub struct Sink {
    policy: Policy,
    recorder: Arc<dyn Recorder>,
    folder: Option<MailFolder>,
    protocol: Protocol,
    accepted: Option<Reply>,
    taken: AtomicU64,
}

impl Sink {
    /// Behaves as the settings say.
    pub fn new(settings: &ServerSettings, recorder: Arc<dyn Recorder>) -> Self {
        Self {
            policy: Policy::new(Arc::clone(&settings.behaviour)),
            recorder,
            folder: None,
            protocol: settings.protocol,
            accepted: settings.behaviour.accepted.clone(),
            taken: AtomicU64::new(0),
        }
    }

    /// Keeps messages as well.
    #[must_use]
    pub fn keeping(mut self, folder: MailFolder) -> Self {
        self.folder = Some(folder);
        self
    }

    fn note(&self, event: &Event<'_>) {
        if let Err(error) = self.recorder.record(event) {
            tracing::error!(%error, "the sink could not record what it saw; its records have a gap");
        }
    }

    /// The refusal of each recipient, and none for those that the message is taken for.
    fn verdicts(&self, peer: &Peer, envelope: &Envelope) -> Vec<Option<Reply>> {
        let verdict = |rcpt: &Recipient| self.policy.at_dot(peer, envelope, &rcpt.address);
        let mut verdicts: Vec<_> = envelope.rcpts.iter().map(verdict).collect();
        // SMTP has one reply for all: who is refused takes the others along.
        if self.protocol == Protocol::Smtp
            && let Some(refusal) = verdicts.iter().flatten().next().cloned()
        {
            verdicts.fill(Some(refusal));
        }
        verdicts
    }

    fn accept(
        &self,
        at_ms: i64,
        peer: &Peer,
        envelope: &Envelope,
        bytes: &[u8],
        size: u64,
    ) -> Replies {
        let verdicts = self.verdicts(peer, envelope);
        let pairs = envelope.rcpts.iter().zip(&verdicts);
        let rcpts: Vec<_> = pairs.filter(|(_, v)| v.is_none()).map(|(rcpt, _)| rcpt).collect();
        if rcpts.is_empty() {
            return self.replies(verdicts, &CANNOT_RECORD);
        }
        if let Some(refusal) = self.policy.at_acceptance(peer, rcpts.len() as u64, at_ms) {
            return self.replies(verdicts, &refusal);
        }
        let head = if self.recorder.reads_headers() {
            HeadFields::find(bytes)
        } else {
            HeadFields::default()
        };
        let event = Event::Accepted {
            at_ms,
            peer,
            envelope,
            rcpts: &rcpts,
            message_id: head.message_id,
            reference: head.reference,
            size,
        };
        match self.recorder.record(&event) {
            Ok(()) => self.replies(verdicts, &self.accepted()),
            Err(error) => {
                tracing::error!(%error, "the sink could not record a message, and refuses it");
                self.replies(verdicts, &CANNOT_RECORD)
            }
        }
    }

    /// `usual` is for those without a verdict of their own.
    fn replies(&self, verdicts: Vec<Option<Reply>>, usual: &Reply) -> Replies {
        let mut replies = verdicts.into_iter().map(|v| v.unwrap_or_else(|| usual.clone()));
        match self.protocol {
            Protocol::Smtp => Replies::One(replies.next().unwrap_or_else(|| usual.clone())),
            Protocol::Lmtp => Replies::Each(replies.collect()),
        }
    }

    fn accepted(&self) -> Reply {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        match &self.accepted {
            None => ACCEPTED,
            Some(reply) if reply.text.contains("{id}") => {
                reply.clone().with_text(reply.text.replace("{id}", &format!("{taken:016x}")))
            }
            Some(reply) => reply.clone(),
        }
    }
}

impl Handler for Sink {
    fn wants(&self) -> BodyUse {
        if self.folder.is_some() {
            BodyUse::Whole
        } else if self.recorder.reads_headers() {
            BodyUse::Head
        } else {
            BodyUse::Count
        }
    }

    fn instead(&self, at: Phase, peer: &Peer, envelope: &Envelope) -> Option<Reply> {
        self.policy.at(at, peer, envelope)
    }

    fn mail<'a>(&'a self, at_ms: i64, peer: &'a Peer, envelope: &'a Envelope) -> Answer<'a> {
        let refusal = self.policy.at_mail(peer, envelope, at_ms);
        Answer::Now(refusal.unwrap_or(SENDER_OK))
    }

    fn rcpt<'a>(
        &'a self,
        at_ms: i64,
        peer: &'a Peer,
        envelope: &'a Envelope,
        rcpt: &'a Recipient,
    ) -> Answer<'a> {
        let refusal = self.policy.at_rcpt(peer, envelope, &rcpt.address, at_ms);
        Answer::Now(refusal.unwrap_or(RECIPIENT_OK))
    }

    fn saw_rcpt(
        &self,
        at_ms: i64,
        peer: &Peer,
        envelope: &Envelope,
        rcpt: &Recipient,
        reply: &Reply,
    ) {
        self.note(&Event::Rcpt { at_ms, peer, envelope, rcpt, reply });
    }

    fn saw_dot(&self, at_ms: i64, peer: &Peer, envelope: &Envelope, size: u64) {
        self.note(&Event::Dot { at_ms, peer, envelope, size });
    }

    fn message<'a>(
        &'a self,
        at_ms: i64,
        peer: &'a Peer,
        envelope: &'a Envelope,
        bytes: &'a [u8],
        size: u64,
    ) -> Answer<'a, Replies> {
        let Some(folder) = &self.folder else {
            return Answer::Now(self.accept(at_ms, peer, envelope, bytes, size));
        };
        Answer::Later(Box::pin(async move {
            let replies = self.accept(at_ms, peer, envelope, bytes, size);
            if replies.any_positive()
                && let Err(error) = folder.keep(bytes).await
            {
                tracing::error!(%error, "the sink has recorded a message that it could not keep");
            }
            replies
        }))
    }
}
