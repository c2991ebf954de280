//! The dialogue of an open connection, from `Opened` to its end.
//!
//! Run by [`super::run`]. One turn is: an envelope is written (or was, behind the dot before it), its replies are
//! read, and if 354 came the row is held until its dot or its end. RFC 5321 section 3.3, RFC 2920 section 3.1. What
//! must always hold: events are told before the task waits for anything; after a fault nothing more is written.
//! The final dot itself is in `held`.

use std::convert::Infallible;

use postroad_model::{
    Reply,
    reply::{Phase, ReplyClass},
};

use super::{
    Capabilities, Connection, Line,
    envelope::{self, Before, Marks},
    held::Held,
    link::{Link, LinkFault, Watched},
    timeouts::Timeouts,
};
use crate::wire::{Command, DotWritten, Event, NextLost, Outgoing, RcptWritten, Unwritten};

pub(super) struct Dialogue {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    pub(super) line: Line,
    pub(super) timeouts: Timeouts,
    /// Written to the wire in one piece; reused.
    pub(super) out: Vec<u8>,
    /// Told in one piece.
    told: Vec<Event>,
    pub(super) before: Before,
}

/// A row whose envelope is next.
pub(super) enum Turn {
    /// MAIL, RCPT and DATA are on their way.
    Sent(Box<Outgoing>, Marks),
    /// Nothing is written yet.
    Unsent(Box<Outgoing>),
}

/// How a dialogue ends.
pub(super) enum End {
    /// The engine wants it.
    Quit,
    /// No row is on the connection.
    Closed { reply: Option<Reply>, detail: String },
    /// A row is.
    Broken(Box<Break>),
}

/// `Event::Broken` to be.
pub(super) struct Break {
    pub(super) row: Box<Outgoing>,
    pub(super) phase: Phase,
    pub(super) dot: DotWritten,
    pub(super) rcpt: RcptWritten,
    pub(super) next: Option<NextLost>,
    pub(super) detail: String,
}

impl End {
    pub(super) fn closed(detail: impl Into<String>) -> Self {
        Self::Closed { reply: None, detail: detail.into() }
    }

    /// Broken before any dot.
    pub(super) fn broken(
        row: Box<Outgoing>,
        phase: Phase,
        rcpt: RcptWritten,
        detail: String,
    ) -> Self {
        let dot = DotWritten::No;
        Self::Broken(Box::new(Break { row, phase, dot, rcpt, next: None, detail }))
    }
}

pub(super) fn at(phase: Phase, fault: &LinkFault) -> String {
    format!("{fault}, at {}", name(phase))
}

pub(crate) fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connect => "connect",
        Phase::Greeting => "the greeting",
        Phase::Ehlo => "EHLO",
        Phase::StartTls => "STARTTLS",
        Phase::Auth => "AUTH",
        Phase::MailFrom => "MAIL FROM",
        Phase::RcptTo => "RCPT TO",
        Phase::Data => "DATA",
        Phase::Body => "the body",
        Phase::FinalDot => "the reply to the final dot",
    }
}

pub(super) enum Judged {
    Good,
    Refused,
    Nonsense,
}

pub(super) fn judge(phase: Phase, reply: &Reply) -> Judged {
    match (reply.class(), phase) {
        (ReplyClass::Intermediate, Phase::Data) => Judged::Good,
        (ReplyClass::Positive, phase) if phase != Phase::Data => Judged::Good,
        (ReplyClass::Transient | ReplyClass::Permanent, _) => Judged::Refused,
        (ReplyClass::Positive | ReplyClass::Intermediate | ReplyClass::Malformed, _) => {
            Judged::Nonsense
        }
    }
}

impl Dialogue {
    pub(super) fn new(connection: Connection, line: Line, timeouts: Timeouts) -> Self {
        let Connection { link, capabilities, .. } = connection;
        let (out, told, before) = (Vec::with_capacity(1024), Vec::new(), Before::Nothing);
        Self { link, capabilities, line, timeouts, out, told, before }
    }

    pub(super) async fn run(mut self) {
        let capabilities = self.capabilities.clone();
        self.note(Event::Opened { conn: self.line.conn, at: self.now(), capabilities });
        let Err(end) = self.turns().await;
        self.finish(end).await;
    }

    async fn turns(&mut self) -> Result<Infallible, End> {
        let mut next = None;
        loop {
            let turn = match next.take() {
                Some(turn) => turn,
                None => Turn::Unsent(self.offer().await?),
            };
            if let Some(row) = self.envelope(turn).await? {
                next = self.hold(row).await?;
            }
        }
    }

    pub(super) fn now(&self) -> postroad_model::Timestamp {
        self.line.clock.now()
    }

    pub(super) fn note(&mut self, event: Event) {
        self.told.push(event);
    }

    pub(super) fn note_unwritten(&mut self, row: &Outgoing, why: Unwritten) {
        self.note(Event::Unwritten { conn: self.line.conn, id: row.id, why });
    }

    fn tell(&mut self) {
        if !self.told.is_empty() {
            self.line.tell(std::mem::take(&mut self.told));
        }
    }

    /// The next reply; what is known is told before it is waited for.
    pub(super) async fn reply(&mut self, within: std::time::Duration) -> Result<Reply, LinkFault> {
        if self.link.buffered()?.is_none() {
            self.tell();
            self.link.reply(within).await?;
        }
        Ok(self.link.latest())
    }

    /// Idle, until a row is offered.
    async fn offer(&mut self) -> Result<Box<Outgoing>, End> {
        self.tell();
        let command = tokio::select! {
            biased;
            spoken = self.link.spoken() => return Err(match spoken {
                Ok(_) => {
                    let reply = Some(self.link.latest());
                    End::Closed { reply, detail: "the relay ended the idle connection".into() }
                }
                Err(fault) => End::closed(format!("{fault}, while it was idle")),
            }),
            command = self.line.commands.recv() => command,
        };
        match command {
            Some(Command::Offer(row)) => Ok(row),
            Some(Command::Dot { permit, next }) => {
                tracing::error!(id = %permit.id(), "a permit came for a row that is not held");
                let conn = self.line.conn;
                self.note(Event::HandedBack { conn, id: permit.id() });
                if let Some(row) = next {
                    self.note_unwritten(&row, Unwritten::Closing);
                }
                Err(End::closed("a permit came for a row that is not held"))
            }
            Some(Command::Withdraw) => Err(End::closed("withdrawn")),
            Some(Command::Quit) | None => Err(End::Quit),
        }
    }

    /// Notes why a row is not written now, if so.
    pub(super) fn is_held_back(&mut self, row: &Outgoing) -> bool {
        if let Some(why) = envelope::objection(row, &self.capabilities) {
            self.note_unwritten(row, why);
            return true;
        }
        self.has_lapsed(row)
    }

    pub(super) fn has_lapsed(&mut self, row: &Outgoing) -> bool {
        let lapsed = row.use_by.is_some_and(|use_by| self.now() >= use_by);
        if lapsed {
            self.note(Event::Lapsed { conn: self.line.conn, id: row.id });
        }
        lapsed
    }

    /// 354 was read: tells it, writes the body, and waits for the permit.
    async fn hold(&mut self, row: Box<Outgoing>) -> Result<Option<Turn>, End> {
        self.note(Event::Held { conn: self.line.conn, id: row.id, at: self.now() });
        self.tell();
        let body = row.body.as_bytes();
        match self.link.write_watching(body, self.timeouts.block).await {
            Ok(Watched::Written) => {}
            Ok(Watched::Spoke(_)) => return Err(self.early(row)),
            Err(fault) => {
                return Err(match self.link.last_words().await {
                    Some(_) => self.early(row),
                    None => {
                        End::broken(row, Phase::Body, RcptWritten::Yes, at(Phase::Body, &fault))
                    }
                });
            }
        }
        loop {
            let command = tokio::select! {
                biased;
                spoken = self.link.spoken() => return Err(match spoken {
                    Ok(_) => self.early(row),
                    Err(fault) => End::broken(row, Phase::Body, RcptWritten::Yes, at(Phase::Body, &fault)),
                }),
                command = self.line.commands.recv() => command,
            };
            match command {
                Some(Command::Dot { permit, next }) => {
                    return Held::new(self, row).commit(permit, next).await;
                }
                Some(Command::Offer(other)) => {
                    self.note_unwritten(&other, Unwritten::Closing);
                    self.tell();
                }
                Some(Command::Withdraw | Command::Quit) | None => {
                    return Err(End::closed("withdrawn without a dot"));
                }
            }
        }
    }

    /// Something was said before the dot.
    pub(super) fn early(&mut self, row: Box<Outgoing>) -> End {
        let reply = self.link.latest();
        match judge(Phase::Body, &reply) {
            Judged::Refused => {
                let (conn, at) = (self.line.conn, self.now());
                self.note(Event::EarlyReply { conn, id: row.id, at, reply: reply.clone() });
                let detail = "left without a dot after an early reply".into();
                End::Closed { reply: Some(reply), detail }
            }
            Judged::Good | Judged::Nonsense => {
                let detail = format!("{reply} makes no sense before the final dot");
                End::broken(row, Phase::Body, RcptWritten::Yes, detail)
            }
        }
    }

    async fn finish(mut self, end: End) {
        let (conn, at) = (self.line.conn, self.now());
        if matches!(end, End::Quit) {
            self.quit().await;
        }
        let mut told = std::mem::take(&mut self.told);
        self.line.return_commands(None, &mut told);
        told.push(match end {
            End::Quit => Event::Closed { conn, at, reply: None, detail: "QUIT".into() },
            End::Closed { reply, detail } => Event::Closed { conn, at, reply, detail },
            End::Broken(broken) => {
                let Break { row, phase, dot, rcpt, next, detail } = *broken;
                Event::Broken { conn, at, id: row.id, phase, dot, rcpt, next, detail }
            }
        });
        self.line.tell(told);
        self.link.close(self.timeouts.quit).await;
    }

    async fn quit(&mut self) {
        let (mut written, within) = (0, self.timeouts.quit);
        if self.link.write(b"QUIT\r\n", &mut written, within).await.is_ok() {
            // 221, an end, or nothing: the connection closes either way.
            let _bye = self.link.reply(within).await;
        }
    }
}
