//! Reads SMTP replies off a connection (RFC 5321 section 4.2.1) and keeps what they say.
//!
//! Used by the dial and by the dialogue of a connection. Replies may come in any pieces and several at once
//! (RFC 2920): what follows a reply stays in the buffer. What must always hold: memory is bounded whatever the relay
//! sends (4 KiB a line, 64 KiB and 500 lines a reply), every digit of an enhanced status is kept, and no bytes
//! make it panic. A reply is put together as a [`Reply`] only where somebody wants its text. Codes are not judged here.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use memchr::memchr;
use postroad_model::Reply;
use tokio::io::{AsyncRead, ReadBuf};

/// Longest line, CRLF included; RFC 5321 section 4.5.3.1.5 asks for 512.
pub const LINE_BYTES_MAX: usize = 4 * 1024;
/// Longest reply.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Most lines of a reply.
pub const REPLY_LINES_MAX: usize = 500;

const BUFFER_BYTES: usize = 2 * LINE_BYTES_MAX;

/// Bytes that are no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// A line without an end.
    #[error("a line of the reply is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// A reply without an end.
    #[error("the reply is longer than {REPLY_BYTES_MAX} bytes or {REPLY_LINES_MAX} lines")]
    ReplyTooLong,
    /// Not three digits of 200 to 599 and a text.
    #[error("{0:?} is not an SMTP reply")]
    NotAReply(String),
}

/// The reading half of a dialogue.
#[derive(Debug)]
pub struct ReplyReader {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    code: u16,
    text: String,
    lines: usize,
    /// The latest reply has all its lines.
    complete: bool,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            code: 0,
            text: String::new(),
            lines: 0,
            complete: true,
        }
    }
}

impl ReplyReader {
    /// The code of the next reply, if all of it has arrived; [`Self::reply`] then gives the rest of it.
    ///
    /// # Errors
    /// When the bytes are no reply: the connection cannot be used further.
    pub fn next_code(&mut self) -> Result<Option<u16>, ReplyFault> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            let Some(lf) = memchr(b'\n', unread) else {
                let too_long = unread.len() >= LINE_BYTES_MAX;
                return if too_long { Err(ReplyFault::LineTooLong) } else { Ok(None) };
            };
            if lf >= LINE_BYTES_MAX {
                return Err(ReplyFault::LineTooLong);
            }
            let line = &self.buffer[self.start..self.start + lf];
            self.start += lf + 1;
            if self.complete {
                self.text.clear();
                (self.lines, self.complete) = (0, false);
            }
            let (code, more, text) = split(line.strip_suffix(b"\r").unwrap_or(line))?;
            self.lines += 1;
            if self.lines > REPLY_LINES_MAX || self.text.len() + text.len() > REPLY_BYTES_MAX {
                return Err(ReplyFault::ReplyTooLong);
            }
            if self.lines > 1 {
                self.text.push('\n');
            }
            push_clean(&mut self.text, text);
            // Lines ought to have one code; where they do not, the last one counts, as Postfix takes it.
            self.code = code;
            if more == More::No {
                self.complete = true;
                return Ok(Some(code));
            }
        }
    }

    /// The reply whose code was given last.
    #[must_use]
    pub fn reply(&self) -> Reply {
        Reply::new(self.code, &self.text)
    }

    /// True when bytes were read that belong to no reply given so far.
    #[must_use]
    pub fn has_leftovers(&self) -> bool {
        self.start < self.end || !self.complete
    }

    /// Reads what has arrived; 0 is the end of the stream. Call [`Self::next_code`] until it gives nothing first.
    pub fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(self.space());
        if space.remaining() == 0 {
            let flood = "more replies than commands";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, flood)));
        }
        ready!(Pin::new(stream).poll_read(cx, &mut space))?;
        let read = space.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }

    fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < LINE_BYTES_MAX {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

fn split(line: &[u8]) -> Result<(u16, More, &[u8]), ReplyFault> {
    let bad = || {
        let mut start = String::new();
        push_clean(&mut start, &line[..line.len().min(80)]);
        ReplyFault::NotAReply(start)
    };
    let (digits, rest) = line.split_at_checked(3).ok_or_else(bad)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    if !(200..=599).contains(&code) {
        return Err(bad());
    }
    match rest.split_first() {
        None => Ok((code, More::No, rest)),
        Some((b' ', text)) => Ok((code, More::No, text)),
        Some((b'-', text)) => Ok((code, More::Yes, text)),
        Some(_) => Err(bad()),
    }
}

/// Control characters would reach terminals, and PostgreSQL takes no NUL: they become U+FFFD.
fn push_clean(text: &mut String, line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    if line.chars().any(char::is_control) {
        text.extend(
            line.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }),
        );
    } else {
        text.push_str(&line);
    }
}

#[cfg(test)]
mod tests;
