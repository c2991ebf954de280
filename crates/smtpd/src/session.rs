//! The dialogue of one connection as a state machine: bytes in, steps out; no I/O, no clock.
//!
//! Driven by the connection: it hands over unread input, carries out the step it gets back, and for a
//! step that asks, tells the answer. RFC 5321 sections 3 and 4, RFC 2033, 3030, 3207, 4954. What always
//! holds: input behind a command is looked at only after that command's answer is known, and one step
//! never takes more than one command. It does not decide about recipients or messages.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use memchr::memchr;

use crate::{
    auth::{Exchange, Progress},
    behaviour::{DataWithoutRecipients, Extension},
    body::{Body, BodyUse},
    command::{self, Command, Last, SYNTAX, Verb},
    envelope::{Envelope, MailParameters, Peer, Recipient},
    reply::Reply,
    settings::Protocol,
    terms::{StartTls, Terms},
};

/// What the connection does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Read more.
    NeedInput,
    /// Write this; the session has already moved on.
    Say(Reply),
    /// Write this and close.
    Close(Reply),
    /// Find the answer and tell it with the method of the same name.
    Ask(Ask),
}

#[derive(Debug)]
pub(crate) enum Ask {
    /// `hello`; this is the usual answer.
    Hello(Reply),
    /// `starttls`.
    StartTls,
    /// `login`; `None` is a refusal.
    Login(Option<Arc<str>>),
    /// `mail`.
    Mail,
    /// `rcpt`; the second is a refusal that the session gives itself.
    Rcpt(Recipient, Option<Reply>),
    /// `data`.
    Data,
    /// `end_message`, when all is answered.
    Dot,
    Quit,
}

enum State {
    Command,
    /// A line longer than the limit is read to its end.
    Overlong,
    Login(Exchange),
    Data,
    Chunk {
        left: u64,
        last: Last,
        refusal: Option<Reply>,
    },
}

pub(crate) struct Session {
    terms: Arc<Terms>,
    pub(crate) peer: Peer,
    pub(crate) envelope: Envelope,
    body: Body,
    state: State,
    verb: Option<Verb>,
    transaction: Transaction,
    errors: u32,
    challenge: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Mail,
    /// Chunks have come; only chunks may follow (RFC 3030 section 2).
    Chunks,
}

const OK: Reply = Reply::new(250, (2, 0, 0), "Ok");
const BARE_LF: Reply = Reply::new(500, (5, 5, 2), "A line must end with CR LF");
const OVERLONG: Reply = Reply::new(500, (5, 5, 6), "Line too long");
const SEQUENCE: Reply = Reply::new(503, (5, 5, 1), "Bad sequence of commands");
const NEED_HELLO: Reply = Reply::new(503, (5, 5, 1), "Say hello first");
const NEED_MAIL: Reply = Reply::new(503, (5, 5, 1), "Need MAIL first");
const NEED_LOGIN: Reply = Reply::new(530, (5, 7, 0), "Authentication required");
const NEED_TLS: Reply = Reply::new(530, (5, 7, 0), "Must issue a STARTTLS command first");
const NO_RECIPIENTS: Reply = Reply::new(554, (5, 5, 1), "No valid recipients");
const TOO_MANY: Reply = Reply::new(452, (4, 5, 3), "Too many recipients");
pub(crate) const TOO_LARGE: Reply =
    Reply::new(552, (5, 3, 4), "Message size exceeds the fixed limit");
const UNOFFERED: Reply = Reply::new(502, (5, 5, 1), "Command not implemented");
const UNSYNCHRONISED: Reply = Reply::new(554, (5, 5, 0), "SMTP synchronization error");
const TOO_MANY_ERRORS: Reply = Reply::new(421, (4, 7, 0), "Too many errors, closing connection");
const ENDLESS: Reply = Reply::new(421, (4, 3, 4), "Message is far too large, closing connection");
const BAD_LOGIN: Reply = Reply::new(501, (5, 5, 2), "Cannot decode the response");
const LOGIN_CANCELLED: Reply = Reply::new(501, (5, 7, 0), "Authentication cancelled");

/// A message over the limit is read on for so long, so that its 552 can be said.
const EXCESS_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Session {
    pub(crate) fn new(terms: Arc<Terms>, peer: Peer, wanted: BodyUse) -> Self {
        let body = Body::new(wanted, terms.limits.message_bytes_max);
        Self {
            terms,
            peer,
            envelope: Envelope::default(),
            body,
            state: State::Command,
            verb: None,
            transaction: Transaction::None,
            errors: 0,
            challenge: 0,
        }
    }

    /// Looks at unread input: how much of it was used up, and what comes next.
    pub(crate) fn advance(&mut self, input: &[u8]) -> (usize, Step) {
        match &mut self.state {
            State::Command | State::Overlong | State::Login(_) => self.line(input),
            State::Data => {
                let (used, ended) = self.body.take_data(input);
                let step = if ended {
                    self.state = State::Command;
                    self.in_step(&input[used..], Step::Ask(Ask::Dot))
                } else if self.is_endless() {
                    Step::Close(ENDLESS)
                } else {
                    Step::NeedInput
                };
                (used, step)
            }
            State::Chunk { left, .. } => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= used as u64;
                let done = *left == 0;
                self.body.take_chunk(&input[..used]);
                let step = if done {
                    self.chunk_read()
                } else if self.is_endless() {
                    Step::Close(ENDLESS)
                } else {
                    Step::NeedInput
                };
                (used, step)
            }
        }
    }

    /// The body so far, if one is being read.
    pub(crate) fn body_bytes(&self) -> Option<u64> {
        match &self.state {
            State::Data | State::Chunk { refusal: None, .. } => Some(self.body.wire_bytes()),
            State::Chunk { refusal: Some(_), .. }
            | State::Command
            | State::Overlong
            | State::Login(_) => None,
        }
    }

    /// The message that was just read: what was kept, and its size on the wire.
    pub(crate) fn message(&self) -> (&[u8], u64) {
        let end = if self.transaction == Transaction::Chunks { 0 } else { 3 };
        (self.body.kept(), self.body.wire_bytes().saturating_sub(end))
    }

    /// What the session itself has against the message that was just read.
    pub(crate) fn refusal(&self) -> Option<Reply> {
        if self.body.too_large() {
            Some(TOO_LARGE)
        } else {
            self.envelope.rcpts.is_empty().then_some(NO_RECIPIENTS)
        }
    }

    pub(crate) fn hello(&mut self, reply: &Reply) {
        self.reset();
        if !reply.is_positive() {
            self.verb = None;
        }
    }

    pub(crate) fn starttls(&mut self) {
        // RFC 3207 section 4.2: forget everything that was said in clear.
        self.reset();
        self.verb = None;
        self.peer.helo.clear();
        self.peer.account = None;
        self.peer.encrypted = true;
    }

    pub(crate) fn login(&mut self, account: Option<Arc<str>>, reply: &Reply) {
        if reply.is_positive() {
            self.peer.account = account;
        }
    }

    pub(crate) fn mail(&mut self, reply: &Reply) {
        if reply.is_positive() {
            self.transaction = Transaction::Mail;
        } else {
            self.reset();
        }
    }

    pub(crate) fn rcpt(&mut self, recipient: Recipient, reply: &Reply) {
        if reply.is_positive() {
            self.envelope.rcpts.push(recipient);
        }
    }

    pub(crate) fn data(&mut self, reply: &Reply) {
        if reply.is_positive() {
            self.body.begin();
            self.state = State::Data;
        }
    }

    pub(crate) fn end_message(&mut self, taken: bool) {
        self.peer.messages += u32::from(taken);
        self.reset();
    }

    pub(crate) fn offers(&self, extension: Extension) -> bool {
        self.terms.offers(extension, &self.peer)
    }

    fn reset(&mut self) {
        self.envelope.clear();
        self.transaction = Transaction::None;
    }

    fn is_endless(&self) -> bool {
        let most = self.terms.limits.message_bytes_max.saturating_add(EXCESS_BYTES_MAX);
        self.body.wire_bytes() > most
    }

    /// Without PIPELINING nothing may follow before the answer (RFC 5321 section 2.1).
    fn in_step(&self, rest: &[u8], step: Step) -> Step {
        if rest.is_empty() || !self.terms.hide.contains(&Extension::Pipelining) {
            step
        } else {
            Step::Close(UNSYNCHRONISED)
        }
    }

    fn line(&mut self, input: &[u8]) -> (usize, Step) {
        let most = self.terms.limits.line_bytes_max;
        let Some(lf) = memchr(b'\n', input) else {
            if input.len() < most {
                return (0, Step::NeedInput);
            }
            self.state = State::Overlong;
            return (input.len(), Step::NeedInput);
        };
        let (line, rest) = input.split_at(lf + 1);
        let state = std::mem::replace(&mut self.state, State::Command);
        let step = if line.len() > most || matches!(state, State::Overlong) {
            self.count_error(OVERLONG)
        } else if !line.ends_with(b"\r\n") {
            self.count_error(BARE_LF)
        } else if let State::Login(exchange) = state {
            match std::str::from_utf8(&line[..lf - 1]) {
                Ok(text) => {
                    let progress = exchange.go_on(text, &self.terms.logins);
                    self.login_progress(progress)
                }
                Err(_) => self.count_error(BAD_LOGIN),
            }
        } else {
            match command::parse(line, |extension| self.offers(extension)) {
                Ok(command) => self.command(command, rest),
                Err(reply) => self.count_error(reply),
            }
        };
        (line.len(), self.in_step(rest, step))
    }

    fn count_error(&mut self, reply: Reply) -> Step {
        self.errors += 1;
        if self.errors > self.terms.limits.errors_max {
            Step::Close(TOO_MANY_ERRORS)
        } else {
            Step::Say(reply)
        }
    }

    fn command(&mut self, command: Command, rest: &[u8]) -> Step {
        match command {
            Command::Hello { verb, name } => self.hello_command(verb, name),
            Command::Mail { path, parameters } => self.mail_command(path, parameters),
            Command::Rcpt(recipient) => {
                let refusal = if self.transaction != Transaction::Mail {
                    Some(NEED_MAIL)
                } else if self.envelope.rcpts.len() >= self.terms.limits.recipients_max {
                    Some(TOO_MANY)
                } else {
                    None
                };
                Step::Ask(Ask::Rcpt(recipient, refusal))
            }
            Command::Data => match (self.transaction, self.envelope.rcpts.is_empty()) {
                (Transaction::None, _) => self.count_error(NEED_MAIL),
                (Transaction::Chunks, _) => self.count_error(SEQUENCE),
                (Transaction::Mail, true)
                    if self.terms.without_recipients == DataWithoutRecipients::Refuse =>
                {
                    Step::Say(NO_RECIPIENTS)
                }
                (Transaction::Mail, _) => Step::Ask(Ask::Data),
            },
            Command::Chunk { bytes, last } => self.chunk_command(bytes, last),
            Command::Auth { mechanism, initial } => {
                if self.peer.account.is_some() || self.transaction != Transaction::None {
                    return self.count_error(SEQUENCE);
                }
                let offered = self.terms.logins.mechanisms();
                let Some(mechanism) = mechanism.filter(|m| offered.contains(m)) else {
                    return Step::Say(Reply::new(504, (5, 5, 4), "Mechanism not offered"));
                };
                self.challenge += 1;
                let challenge = format!(
                    "<{}.{}@{}>",
                    self.peer.connection, self.challenge, self.terms.hostname
                );
                let progress = Exchange::begin(mechanism, &initial, challenge, &self.terms.logins);
                self.login_progress(progress)
            }
            Command::StartTls if !self.offers(Extension::StartTls) => Step::Say(UNOFFERED),
            // Bytes behind STARTTLS would be taken as if they had come encrypted.
            Command::StartTls if !rest.is_empty() => Step::Close(UNSYNCHRONISED),
            Command::StartTls => Step::Ask(Ask::StartTls),
            Command::Reset => {
                self.reset();
                Step::Say(OK)
            }
            Command::Noop => Step::Say(OK),
            Command::Verify => Step::Say(Reply::new(252, (2, 5, 0), "Cannot verify, but try")),
            Command::Help => Step::Say(Reply::new(214, (2, 0, 0), "See RFC 5321")),
            Command::Quit => Step::Ask(Ask::Quit),
            Command::Unoffered => Step::Say(UNOFFERED),
        }
    }

    fn hello_command(&mut self, verb: Verb, name: String) -> Step {
        let wanted = match verb {
            Verb::Lhlo => Protocol::Lmtp,
            Verb::Ehlo | Verb::Helo => Protocol::Smtp,
        };
        if wanted != self.terms.protocol {
            return self.count_error(UNOFFERED.with_text("This is the other protocol"));
        }
        self.peer.helo = name;
        self.verb = Some(verb);
        let greeting = format!("{} greets {}", self.terms.hostname, self.peer.helo);
        Step::Ask(Ask::Hello(Reply::bare(
            250,
            match verb {
                Verb::Helo => greeting,
                Verb::Ehlo | Verb::Lhlo => self.terms.announcement(greeting, &self.peer),
            },
        )))
    }

    fn mail_command(&mut self, path: String, parameters: MailParameters) -> Step {
        if self.verb.is_none() {
            return self.count_error(NEED_HELLO);
        }
        if self.transaction != Transaction::None {
            return self.count_error(SEQUENCE);
        }
        if self.terms.starttls == StartTls::Required && !self.peer.encrypted {
            return Step::Say(NEED_TLS);
        }
        if self.terms.logins.are_required() && self.peer.account.is_none() {
            return Step::Say(NEED_LOGIN);
        }
        if parameters.size.is_some_and(|size| size > self.terms.limits.message_bytes_max) {
            return Step::Say(TOO_LARGE);
        }
        self.envelope.mail_from = path;
        self.envelope.parameters = parameters;
        Step::Ask(Ask::Mail)
    }

    /// The octets of a chunk follow whatever is said about it (RFC 3030 section 2).
    fn chunk_command(&mut self, bytes: u64, last: Last) -> Step {
        let refusal = if !self.offers(Extension::Chunking) {
            return self.count_error(UNOFFERED);
        } else if self.transaction == Transaction::None {
            Some(NEED_MAIL)
        } else if self.envelope.rcpts.is_empty() {
            Some(NO_RECIPIENTS)
        } else {
            None
        };
        if self.transaction == Transaction::Mail || refusal.is_some() {
            self.body.begin();
        }
        if refusal.is_none() {
            self.transaction = Transaction::Chunks;
        }
        self.state = State::Chunk { left: bytes, last, refusal };
        if bytes == 0 { self.chunk_read() } else { Step::NeedInput }
    }

    fn chunk_read(&mut self) -> Step {
        let state = std::mem::replace(&mut self.state, State::Command);
        let State::Chunk { last, refusal, .. } = state else { return Step::Say(SYNTAX) };
        match (refusal, last) {
            (Some(reply), _) => Step::Say(reply),
            (None, Last::Yes) => Step::Ask(Ask::Dot),
            (None, Last::No) if self.body.too_large() => {
                self.reset();
                Step::Say(TOO_LARGE)
            }
            (None, Last::No) => {
                let text = format!("{} octets received", self.body.wire_bytes());
                Step::Say(OK.with_text(text))
            }
        }
    }

    fn login_progress(&mut self, progress: Progress) -> Step {
        match progress {
            Progress::Challenge(exchange, prompt) => {
                self.state = State::Login(exchange);
                Step::Say(Reply::bare(334, prompt))
            }
            Progress::Done(account) => Step::Ask(Ask::Login(account)),
            Progress::Cancelled => Step::Say(LOGIN_CANCELLED),
            Progress::Malformed => self.count_error(BAD_LOGIN),
        }
    }
}
