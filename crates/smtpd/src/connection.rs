//! One connection: reads, drives the session, asks the handler, and breaks things where told.
//!
//! Spawned by the server for each client. All commands that have arrived are carried out, and their
//! replies leave in one write (RFC 2920 section 3.2). What always holds: the handler has answered before
//! a reply of 2yz to the final dot is written; nothing is read while a fault holds the line; every wait
//! ends with the idle limit or the stop of the server. Grammar and order of commands are the session's;
//! latency and faults are carried out in `strike`.

mod strike;

use std::{
    io,
    sync::{Arc, atomic::AtomicU64},
};

use rand::rngs::StdRng;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    behaviour::{Extension, Phase},
    envelope::{Peer, Recipient},
    fault::{Cut, Faults, throw},
    handler::{Handler, Replies},
    reply::{Reply, Statuses},
    session::{Ask, Session, Step},
    settings::{Protocol, ServerSettings, Tls},
    stream::Stream,
    terms::Terms,
};

/// What the connections of one server share.
pub(crate) struct Shared {
    pub(crate) settings: ServerSettings,
    pub(crate) terms: Arc<Terms>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) faults: Faults,
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) stop: CancellationToken,
    pub(crate) connections: AtomicU64,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the dialogue was over")]
    Over,
    #[error("the client closed it")]
    Client,
    #[error("a fault was scripted")]
    Struck,
    #[error("the client said nothing for too long")]
    Idle,
    #[error("the server stops")]
    Stopped,
    #[error("reading or writing failed")]
    Io(#[from] io::Error),
}

const INPUT_BYTES: usize = 32 * 1024;
const IDLE: Reply = Reply::new(421, (4, 4, 2), "Idle for too long, closing connection");
const STOPPED: Reply = Reply::new(421, (4, 3, 2), "Service shutting down");
const READY_FOR_TLS: Reply = Reply::new(220, (2, 0, 0), "Ready to start TLS");
const LOGGED_IN: Reply = Reply::new(235, (2, 7, 0), "Authentication succeeded");
const BAD_CREDENTIALS: Reply = Reply::new(535, (5, 7, 8), "Username and Password not accepted");
const BYE: Reply = Reply::new(221, (2, 0, 0), "Bye");

pub(crate) struct Connection {
    shared: Arc<Shared>,
    stream: Stream,
    session: Session,
    input: Vec<u8>,
    start: usize,
    end: usize,
    out: Vec<u8>,
    dice: StdRng,
    /// The latest recipient, for faults that want one.
    subject: String,
    cut: Option<Cut>,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, stream: TcpStream, peer: Peer) -> Self {
        let bytes = INPUT_BYTES.max(shared.terms.limits.line_bytes_max + 1);
        let dice = throw(shared.settings.behaviour.seed, peer.connection);
        let session = Session::new(Arc::clone(&shared.terms), peer, shared.handler.wants());
        Self {
            shared,
            stream: Stream::Plain(stream),
            session,
            input: vec![0; bytes],
            start: 0,
            end: 0,
            out: Vec::with_capacity(1024),
            dice,
            subject: String::new(),
            cut: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let Err(end) = self.serve().await;
        let last = match end {
            End::Idle => Some(IDLE),
            End::Stopped => Some(STOPPED),
            End::Over | End::Client | End::Struck | End::Io(_) => None,
        };
        if let Some(reply) = last {
            self.put(&reply);
            // The client may be gone; there is nobody left to tell.
            let _written = self.flush().await;
        }
        if !matches!(end, End::Client | End::Struck | End::Io(_)) {
            self.stream.close().await;
        }
        let Peer { server, connection, remote, .. } = &self.session.peer;
        tracing::debug!(%server, connection, %remote, %end, "connection ended");
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        self.enter(Phase::Connect).await?;
        if matches!(self.shared.settings.tls, Tls::Implicit(_)) {
            self.encrypt().await?;
        }
        self.enter(Phase::Greeting).await?;
        let hello = format!("{} ESMTP Postroad", self.shared.terms.hostname);
        let reply = self.instead(Phase::Greeting).unwrap_or(Reply::bare(220, hello));
        self.leave(Phase::Greeting, &reply).await?;
        if !reply.is_positive() {
            self.flush().await?;
            return Err(End::Over);
        }
        loop {
            self.turn().await?;
        }
    }

    /// One step of the session.
    async fn turn(&mut self) -> Result<(), End> {
        let mut unread = &self.input[self.start..self.end];
        if let (Some(cut), Some(read)) = (self.cut, self.session.body_bytes()) {
            let left = usize::try_from(cut.after_bytes.saturating_sub(read)).unwrap_or(usize::MAX);
            unread = &unread[..unread.len().min(left)];
        }
        let (used, step) = self.session.advance(unread);
        self.start += used;
        match step {
            Step::NeedInput => self.need_input(used).await,
            Step::Say(reply) => {
                self.put(&reply);
                Ok(())
            }
            Step::Close(reply) => {
                self.put(&reply);
                self.flush().await?;
                Err(End::Over)
            }
            Step::Ask(ask) => self.ask(ask).await,
        }
    }

    async fn need_input(&mut self, used: usize) -> Result<(), End> {
        if let (Some(cut), Some(read)) = (self.cut, self.session.body_bytes())
            && read >= cut.after_bytes
        {
            self.cut = None;
            return self.strike(cut.action).await;
        }
        if used > 0 && self.start < self.end {
            return Ok(());
        }
        self.flush().await?;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.input.len() {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let idle = self.shared.terms.limits.idle();
        let read = tokio::select! {
            read = timeout(idle, self.stream.read(&mut self.input[self.end..])) => read,
            () = self.shared.stop.cancelled() => return Err(End::Stopped),
        };
        match read {
            Err(_) => Err(End::Idle),
            Ok(Ok(0)) => Err(End::Client),
            Ok(read) => {
                self.end += read?;
                Ok(())
            }
        }
    }

    async fn ask(&mut self, ask: Ask) -> Result<(), End> {
        match ask {
            Ask::Hello(usual) => {
                self.enter(Phase::Ehlo).await?;
                let reply = self.instead(Phase::Ehlo).unwrap_or(usual);
                self.session.hello(&reply);
                self.leave(Phase::Ehlo, &reply).await
            }
            Ask::StartTls => {
                self.enter(Phase::StartTls).await?;
                let reply = self.instead(Phase::StartTls).unwrap_or(READY_FOR_TLS);
                self.leave(Phase::StartTls, &reply).await?;
                if reply.is_positive() { self.encrypt().await } else { Ok(()) }
            }
            Ask::Login(account) => {
                self.enter(Phase::Auth).await?;
                let usual = if account.is_some() { LOGGED_IN } else { BAD_CREDENTIALS };
                let reply = self.instead(Phase::Auth).unwrap_or(usual);
                self.session.login(account, &reply);
                self.leave(Phase::Auth, &reply).await
            }
            Ask::Mail => {
                self.subject.clear();
                self.enter(Phase::Mail).await?;
                let Session { peer, envelope, .. } = &self.session;
                let reply = self.shared.handler.mail(self.now(), peer, envelope).get().await;
                self.session.mail(&reply);
                self.leave(Phase::Mail, &reply).await
            }
            Ask::Rcpt(recipient, refusal) => self.rcpt(recipient, refusal).await,
            Ask::Data => {
                self.enter(Phase::Data).await?;
                let usual = || Reply::bare(354, "Go ahead");
                let reply = self.instead(Phase::Data).unwrap_or_else(usual);
                self.session.data(&reply);
                self.cut = self.shared.faults.cut(&self.subject);
                self.leave(Phase::Data, &reply).await
            }
            Ask::Dot => self.dot().await,
            Ask::Quit => {
                self.enter(Phase::Quit).await?;
                self.leave(Phase::Quit, &BYE).await?;
                self.flush().await?;
                Err(End::Over)
            }
        }
    }

    /// Decides, then records, and only then lets a fault strike: a recipient counts when it was received.
    async fn rcpt(&mut self, rcpt: Recipient, refusal: Option<Reply>) -> Result<(), End> {
        let at_ms = self.now();
        let Session { peer, envelope, .. } = &self.session;
        let reply = match refusal {
            Some(reply) => reply,
            None => self.shared.handler.rcpt(at_ms, peer, envelope, &rcpt).get().await,
        };
        self.shared.handler.saw_rcpt(at_ms, peer, envelope, &rcpt, &reply);
        self.subject.clone_from(&rcpt.address);
        self.session.rcpt(rcpt, &reply);
        self.enter(Phase::Rcpt).await?;
        self.leave(Phase::Rcpt, &reply).await
    }

    async fn dot(&mut self) -> Result<(), End> {
        self.cut = None;
        let (_, size) = self.session.message();
        let Session { peer, envelope, .. } = &self.session;
        self.shared.handler.saw_dot(self.now(), peer, envelope, size);
        self.enter(Phase::Dot).await?;
        let Session { peer, envelope, .. } = &self.session;
        let replies = match self.session.refusal() {
            Some(reply) => Replies::One(reply),
            None => {
                let (bytes, size) = self.session.message();
                self.shared.handler.message(self.now(), peer, envelope, bytes, size).get().await
            }
        };
        let taken = replies.any_positive();
        if taken {
            self.enter(Phase::Accepted).await?;
        }
        let rcpts = self.session.envelope.rcpts.len().max(1);
        self.session.end_message(taken);
        match (self.shared.terms.protocol, replies) {
            (Protocol::Smtp, Replies::One(reply)) => self.leave(Phase::Dot, &reply).await?,
            (Protocol::Lmtp, Replies::One(reply)) => {
                for _ in 0..rcpts {
                    self.leave(Phase::Dot, &reply).await?;
                }
            }
            (Protocol::Smtp, Replies::Each(replies)) => {
                // One reply speaks for all: it must not promise what was refused to one of them.
                let refused = replies.iter().find(|reply| !reply.is_positive());
                if let Some(reply) = refused.or(replies.first()) {
                    self.leave(Phase::Dot, reply).await?;
                }
            }
            (Protocol::Lmtp, Replies::Each(replies)) => {
                for reply in &replies {
                    self.leave(Phase::Dot, reply).await?;
                }
            }
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        (self.shared.settings.clock)()
    }

    fn instead(&self, at: Phase) -> Option<Reply> {
        self.shared.handler.instead(at, &self.session.peer, &self.session.envelope)
    }

    async fn encrypt(&mut self) -> Result<(), End> {
        self.flush().await?;
        let Some(acceptor) = self.shared.acceptor.clone() else { return Err(End::Over) };
        let idle = self.shared.terms.limits.idle();
        timeout(idle, self.stream.encrypt(&acceptor)).await.map_err(|_| End::Idle)??;
        self.session.starttls();
        Ok(())
    }

    fn put(&mut self, reply: &Reply) {
        let statuses = if self.session.offers(Extension::EnhancedStatusCodes) {
            Statuses::Shown
        } else {
            Statuses::Hidden
        };
        reply.write_to(&mut self.out, statuses);
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let idle = self.shared.terms.limits.idle();
        let written = timeout(idle, self.stream.write_all(&self.out)).await;
        self.out.clear();
        written.map_err(|_| End::Idle)??;
        Ok(())
    }
}
