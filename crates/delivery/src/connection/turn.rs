//! One turn of the dialogue: the envelope of a row goes out, and its replies come in.
//!
//! Part of [`Dialogue`]; what follows the 354 is told there and in `held`. RFC 5321 section 4.1.1, RFC 2920. What must
//! always hold: a refusal that was read stays, whatever comes after it; a 354 after a refusal is left without a dot;
//! RSET stands before the next MAIL of a connection whose last envelope was refused.

use std::{ops::Range, time::Duration};

use postroad_model::{Reply, reply::Phase};

use super::{
    dialogue::{Dialogue, End, Judged, Turn, at, judge, name},
    envelope::{self, Before, Marks},
    link::LinkFault,
    stream::Stream,
};
use crate::wire::{Event, Outgoing, RcptWritten};

/// What has come of an envelope so far.
struct Progress {
    refused: Option<(Phase, Reply)>,
    rcpt: RcptWritten,
}

fn reset_refused(row: Box<Outgoing>, reply: &Reply, rcpt: RcptWritten) -> End {
    End::broken(row, Phase::MailFrom, rcpt, format!("RSET was answered {reply}"))
}

impl Dialogue {
    /// Appends the commands of a row to `out`.
    pub(super) fn append(&mut self, row: &Outgoing) -> Marks {
        let before = std::mem::replace(&mut self.before, Before::Nothing);
        envelope::append(&mut self.out, row, &self.capabilities, before)
    }

    /// Writes an envelope if that is still to be done, and reads its replies; the row, if 354 came.
    pub(super) async fn envelope(&mut self, turn: Turn) -> Result<Option<Box<Outgoing>>, End> {
        match turn {
            Turn::Sent(row, marks) => self.replies(row, marks).await,
            Turn::Unsent(row) if self.is_held_back(&row) => Ok(None),
            Turn::Unsent(row) => {
                self.out.clear();
                let marks = self.append(&row);
                if !self.capabilities.pipelining {
                    return self.lock_step(row, marks).await;
                }
                let mut written = 0;
                let wrote = self.link.write(&self.out, &mut written, self.timeouts.block).await;
                match wrote {
                    Ok(()) => self.replies(row, marks).await,
                    Err(fault) => {
                        let rcpt = self.rcpt_written(written, &marks);
                        Err(self.last_words(row, Phase::MailFrom, rcpt, &fault).await)
                    }
                }
            }
        }
    }

    /// TLS may have sent what its stream did not count yet.
    pub(super) fn rcpt_written(&self, written: usize, marks: &Marks) -> RcptWritten {
        match &self.link.stream {
            Stream::Plain(_) if written <= marks.rcpt.start => RcptWritten::No,
            Stream::Plain(_) | Stream::Tls(_) => RcptWritten::Yes,
        }
    }

    /// A write failed: what the relay said before it closed counts more than how the write failed.
    async fn last_words(
        &mut self,
        row: Box<Outgoing>,
        phase: Phase,
        rcpt: RcptWritten,
        fault: &LinkFault,
    ) -> End {
        let said = self.link.last_words().await.map(|_| self.link.latest());
        match said {
            Some(reply) if matches!(judge(phase, &reply), Judged::Refused) => {
                self.note_refused(&row, phase, reply, rcpt);
                End::closed(fault.to_string())
            }
            Some(_) | None => End::broken(row, phase, rcpt, at(phase, fault)),
        }
    }

    fn note_refused(&mut self, row: &Outgoing, phase: Phase, reply: Reply, rcpt: RcptWritten) {
        let (conn, at) = (self.line.conn, self.now());
        self.note(Event::Refused { conn, id: row.id, at, phase, reply, rcpt });
    }

    /// The replies to RSET (if any), MAIL, RCPT and DATA that were written together.
    async fn replies(
        &mut self,
        mut row: Box<Outgoing>,
        marks: Marks,
    ) -> Result<Option<Box<Outgoing>>, End> {
        let mut progress = Progress { refused: None, rcpt: RcptWritten::Yes };
        if !marks.reset.is_empty() {
            match self.reply(self.timeouts.mail).await {
                Ok(reply) if reply.is_positive() => {}
                Ok(reply) => return Err(reset_refused(row, &reply, progress.rcpt)),
                Err(fault) => return Err(self.cut(row, Phase::MailFrom, progress, &fault)),
            }
        }
        for phase in [Phase::MailFrom, Phase::RcptTo, Phase::Data] {
            match self.reply(self.within(phase)).await {
                Ok(reply) => row = self.take(row, phase, reply, &mut progress)?,
                Err(fault) => return Err(self.cut(row, phase, progress, &fault)),
            }
        }
        self.judged(row, progress)
    }

    /// The same, where each command has to wait for the reply before it.
    async fn lock_step(
        &mut self,
        mut row: Box<Outgoing>,
        marks: Marks,
    ) -> Result<Option<Box<Outgoing>>, End> {
        let mut progress = Progress { refused: None, rcpt: RcptWritten::No };
        if !marks.reset.is_empty() {
            match self.command(marks.reset, Phase::MailFrom).await {
                Ok(reply) if reply.is_positive() => {}
                Ok(reply) => return Err(reset_refused(row, &reply, progress.rcpt)),
                Err(fault) => return Err(self.cut(row, Phase::MailFrom, progress, &fault)),
            }
        }
        let commands =
            [(Phase::MailFrom, marks.mail), (Phase::RcptTo, marks.rcpt), (Phase::Data, marks.data)];
        for (phase, command) in commands {
            if phase == Phase::RcptTo {
                // The reply to MAIL may have taken its time.
                if self.has_lapsed(&row) {
                    self.before = Before::Reset;
                    return Ok(None);
                }
                progress.rcpt = RcptWritten::Yes;
            }
            match self.command(command, phase).await {
                Ok(reply) => row = self.take(row, phase, reply, &mut progress)?,
                Err(fault) => return Err(self.cut(row, phase, progress, &fault)),
            }
            if progress.refused.is_some() {
                break;
            }
        }
        self.judged(row, progress)
    }

    async fn command(&mut self, command: Range<usize>, phase: Phase) -> Result<Reply, LinkFault> {
        let mut written = 0;
        let command = &self.out[command];
        if let Err(fault) = self.link.write(command, &mut written, self.timeouts.block).await {
            return self.link.last_words().await.map(|_| self.link.latest()).ok_or(fault);
        }
        self.reply(self.within(phase)).await
    }

    fn within(&self, phase: Phase) -> Duration {
        match phase {
            Phase::RcptTo => self.timeouts.rcpt,
            Phase::Data => self.timeouts.data,
            Phase::FinalDot => self.timeouts.dot(),
            Phase::Body => self.timeouts.block,
            Phase::Connect
            | Phase::Greeting
            | Phase::Ehlo
            | Phase::StartTls
            | Phase::Auth
            | Phase::MailFrom => self.timeouts.mail,
        }
    }

    /// Takes one reply into account and gives the row back; an error ends the connection.
    fn take(
        &mut self,
        row: Box<Outgoing>,
        phase: Phase,
        reply: Reply,
        progress: &mut Progress,
    ) -> Result<Box<Outgoing>, End> {
        let detail = match (judge(phase, &reply), &progress.refused) {
            (Judged::Good, Some(_)) if phase == Phase::Data => {
                // RFC 2920 section 3.1: a dot now would make a message to nobody, or to somebody else.
                "354 was said after a refusal: left without a dot".to_owned()
            }
            (Judged::Good, _) => return Ok(row),
            (Judged::Refused, _) if reply.code == 421 => format!("the relay is closing: {reply}"),
            (Judged::Refused, _) => {
                progress.refused.get_or_insert((phase, reply));
                return Ok(row);
            }
            (Judged::Nonsense, _) => format!("{reply} makes no sense at {}", name(phase)),
        };
        let closing = (reply.code == 421).then_some(&reply).cloned();
        match progress.refused.take().or(closing.clone().map(|reply| (phase, reply))) {
            Some((phase, refusal)) => {
                self.note_refused(&row, phase, refusal, progress.rcpt);
                Err(End::Closed { reply: closing, detail })
            }
            None => Err(End::broken(row, phase, progress.rcpt, detail)),
        }
    }

    /// The connection ended among the replies: a refusal that was read stays.
    fn cut(
        &mut self,
        row: Box<Outgoing>,
        phase: Phase,
        progress: Progress,
        fault: &LinkFault,
    ) -> End {
        match progress.refused {
            Some((phase, reply)) => {
                self.note_refused(&row, phase, reply, progress.rcpt);
                End::closed(fault.to_string())
            }
            None => End::broken(row, phase, progress.rcpt, at(phase, fault)),
        }
    }

    fn judged(
        &mut self,
        row: Box<Outgoing>,
        progress: Progress,
    ) -> Result<Option<Box<Outgoing>>, End> {
        let Some((phase, reply)) = progress.refused else { return Ok(Some(row)) };
        self.note_refused(&row, phase, reply, progress.rcpt);
        self.before = Before::Reset;
        Ok(None)
    }
}
