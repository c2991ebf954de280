//! A held row: 354 was read, its body is written, and only its final dot is missing.
//!
//! Made by the dialogue; [`Held::commit`] is the only function of the program that writes a final dot (RFC 5321
//! section 4.1.1.4), and it takes a permit for it. What must always hold: the clock is looked at when the socket is
//! ready and just before the write; a permit that is over or another row's writes nothing; `DotWritten::No` is said
//! only when the socket took no byte of it (with TLS: when nothing was tried).

use postroad_model::reply::{Phase, ReplyClass};

use super::{
    dialogue::{Break, Dialogue, End, Turn, at, name},
    link::{First, LinkFault},
};
use crate::{
    permit::Permit,
    wire::{DotWritten, Event, NextLost, Outgoing, RcptWritten, Unwritten},
};

/// The body ends in CRLF: this makes it CRLF.CRLF.
const FINAL_DOT: &[u8] = b".\r\n";

/// How far the write came.
struct Wrote {
    /// Bytes of `out` that the socket took for certain.
    bytes: usize,
    dot: DotWritten,
    fault: Option<LinkFault>,
}

#[must_use = "a row that is neither committed nor withdrawn blocks its connection"]
pub(super) struct Held<'d> {
    dialogue: &'d mut Dialogue,
    row: Box<Outgoing>,
}

impl<'d> Held<'d> {
    pub(super) fn new(dialogue: &'d mut Dialogue, row: Box<Outgoing>) -> Self {
        Self { dialogue, row }
    }

    /// Writes the final dot, and the next envelope with it where the relay pipelines; then reads the answer.
    pub(super) async fn commit(
        self,
        permit: Permit,
        next: Option<Box<Outgoing>>,
    ) -> Result<Option<Turn>, End> {
        let Self { dialogue, row } = self;
        dialogue.out.clear();
        dialogue.out.extend_from_slice(FINAL_DOT);
        let next = next.filter(|next| !dialogue.is_held_back(next)).map(|next| {
            if dialogue.capabilities.pipelining {
                let marks = dialogue.append(&next);
                Turn::Sent(next, marks)
            } else {
                Turn::Unsent(next)
            }
        });
        let Some(wrote) = write(dialogue, &row, &permit).await else {
            let (conn, id) = (dialogue.line.conn, row.id);
            dialogue.note(Event::HandedBack { conn, id });
            put_back(dialogue, next);
            return Err(End::closed("the permit was over before the dot was written"));
        };
        answer(dialogue, row, next, wrote).await
    }
}

/// `None`: the permit does not open this dot, and nothing was written.
async fn write(dialogue: &mut Dialogue, row: &Outgoing, permit: &Permit) -> Option<Wrote> {
    let block = dialogue.timeouts.block;
    let nothing = |fault| Some(Wrote { bytes: 0, dot: DotWritten::No, fault: Some(fault) });
    let mut bytes = loop {
        if let Err(fault) = dialogue.link.writable(block).await {
            return nothing(fault);
        }
        if !permit.opens(row.id, dialogue.now()) {
            return None;
        }
        match dialogue.link.write_first(&dialogue.out) {
            Ok(First::Blocked) => {}
            Ok(First::Encrypted) => break 0,
            Ok(First::Took(0)) => return nothing(LinkFault::Closed),
            Ok(First::Took(bytes)) => break bytes,
            Err(error) => return nothing(error.into()),
        }
    };
    let fault = dialogue.link.write(&dialogue.out, &mut bytes, block).await.err();
    Some(Wrote { bytes, dot: DotWritten::Maybe, fault })
}

/// Reads the reply to the dot. After a failed write it is what the relay said before it closed, or nothing.
async fn answer(
    dialogue: &mut Dialogue,
    row: Box<Outgoing>,
    next: Option<Turn>,
    wrote: Wrote,
) -> Result<Option<Turn>, End> {
    let failed = wrote.fault.is_some();
    let read = match wrote.fault {
        None => dialogue.reply(dialogue.timeouts.dot()).await,
        Some(fault) => match dialogue.link.last_words().await {
            Some(_) => Ok(dialogue.link.latest()),
            None => Err(fault),
        },
    };
    if wrote.dot == DotWritten::No {
        put_back(dialogue, next);
        return Err(match read {
            Ok(_) => dialogue.early(row),
            Err(fault) => End::broken(row, Phase::Body, RcptWritten::Yes, at(Phase::Body, &fault)),
        });
    }
    let detail = match read {
        Ok(reply) => match reply.class() {
            ReplyClass::Positive | ReplyClass::Transient | ReplyClass::Permanent => {
                let over = failed || reply.code == 421;
                let (conn, at) = (dialogue.line.conn, dialogue.now());
                dialogue.note(Event::Answered { conn, id: row.id, at, reply });
                return if over { Err(over_behind(dialogue, next, wrote.bytes)) } else { Ok(next) };
            }
            ReplyClass::Intermediate | ReplyClass::Malformed => {
                format!("{reply} makes no sense at {}", name(Phase::FinalDot))
            }
        },
        Err(fault) => at(Phase::FinalDot, &fault),
    };
    let next = lost(dialogue, next, wrote.bytes);
    let (phase, rcpt) = (Phase::FinalDot, RcptWritten::Yes);
    Err(End::Broken(Box::new(Break { row, phase, dot: wrote.dot, rcpt, next, detail })))
}

/// Nothing of the next row was written.
fn put_back(dialogue: &mut Dialogue, next: Option<Turn>) {
    if let Some(Turn::Sent(next, _) | Turn::Unsent(next)) = next {
        dialogue.note_unwritten(&next, Unwritten::Closing);
    }
}

/// The next row, if anything of it may have been written; otherwise it goes back by itself.
fn lost(dialogue: &mut Dialogue, next: Option<Turn>, bytes: usize) -> Option<NextLost> {
    match next? {
        Turn::Sent(next, marks) => {
            Some(NextLost { id: next.id, rcpt: dialogue.rcpt_written(bytes, &marks) })
        }
        Turn::Unsent(next) => {
            dialogue.note_unwritten(&next, Unwritten::Closing);
            None
        }
    }
}

/// The dot was answered, and the envelope behind it will not be.
fn over_behind(dialogue: &mut Dialogue, next: Option<Turn>, bytes: usize) -> End {
    let reply = dialogue.link.latest();
    let detail = format!("the relay is closing: {reply}");
    match next {
        Some(Turn::Sent(row, marks)) => {
            let rcpt = dialogue.rcpt_written(bytes, &marks);
            End::broken(row, Phase::MailFrom, rcpt, detail)
        }
        Some(Turn::Unsent(_)) | None => {
            put_back(dialogue, next);
            End::Closed { reply: Some(reply), detail }
        }
    }
}
