//! The bytes of a message as they come in: where it ends, how large it is, and what is kept of it.
//!
//! Driven by the session. RFC 5321 section 4.1.1.4 and 4.5.2. What always holds: only CRLF.CRLF ends a
//! message (a bare LF or CR never does, which is what SMTP smuggling hopes for), nothing is allocated
//! when only counting, and what is kept never passes the limit. It does not look into MIME.

use memchr::{memchr, memmem::Finder};

/// What a handler wants to see of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyUse {
    /// Nothing: bytes are counted and forgotten.
    Count,
    /// The header section, at most 64 KiB of it.
    Head,
    /// All of it, dots unstuffed.
    Whole,
}

const HEAD_BYTES_MAX: usize = 64 * 1024;
const KEPT_BYTES_IDLE_MAX: usize = 1024 * 1024;
const END: &[u8; 5] = b"\r\n.\r\n";

pub(crate) struct Body {
    wanted: BodyUse,
    bytes_max: u64,
    finder: Finder<'static>,
    /// How many bytes of [`END`] the input ends with.
    matched: u8,
    line: Line,
    kept: Vec<u8>,
    wire_bytes: u64,
}

/// Where in a line the next byte stands, for the stuffed dots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    Middle,
    AfterCr,
}

impl Body {
    pub(crate) fn new(wanted: BodyUse, bytes_max: u64) -> Self {
        Self {
            wanted,
            bytes_max,
            finder: Finder::new(END),
            matched: 2,
            line: Line::Start,
            kept: Vec::new(),
            wire_bytes: 0,
        }
    }

    /// Makes ready for the next message.
    pub(crate) fn begin(&mut self) {
        // The CRLF of the DATA command counts: `.CRLF` alone is an empty message.
        self.matched = 2;
        self.line = Line::Start;
        self.wire_bytes = 0;
        self.kept.clear();
        if self.kept.capacity() > KEPT_BYTES_IDLE_MAX {
            self.kept = Vec::new();
        }
    }

    /// Bytes read since DATA, or in chunks.
    pub(crate) fn wire_bytes(&self) -> u64 {
        self.wire_bytes
    }

    pub(crate) fn too_large(&self) -> bool {
        self.wire_bytes > self.bytes_max.saturating_add(3)
    }

    /// What was kept.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Takes input after DATA; says how much of it belongs to the message, and whether it ends there.
    pub(crate) fn take_data(&mut self, input: &[u8]) -> (usize, bool) {
        let end = self.find_end(input);
        let taken = &input[..end.unwrap_or(input.len())];
        self.wire_bytes += taken.len() as u64;
        if self.keeps(taken.len()) {
            self.keep_unstuffed(taken);
        }
        if end.is_some() && self.wanted == BodyUse::Whole {
            // The CRLF behind the final dot went in as a line of its own.
            self.kept.truncate(self.kept.len().saturating_sub(2));
        }
        (taken.len(), end.is_some())
    }

    /// Takes bytes of a chunk (RFC 3030): as they are.
    pub(crate) fn take_chunk(&mut self, input: &[u8]) {
        self.wire_bytes += input.len() as u64;
        if self.keeps(input.len()) {
            self.kept.extend_from_slice(input);
        }
    }

    fn keeps(&mut self, more: usize) -> bool {
        match self.wanted {
            BodyUse::Count => false,
            BodyUse::Head => {
                // Looked for only while the head is short: a head that ends late is cut at the limit.
                self.kept.len() < HEAD_BYTES_MAX && !ends_head(&self.kept)
            }
            BodyUse::Whole => (self.kept.len() + more) as u64 <= self.bytes_max.saturating_add(3),
        }
    }

    fn find_end(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        while self.matched > 0 {
            let byte = *input.get(at)?;
            at += 1;
            if self.step(byte) {
                return Some(at);
            }
        }
        if let Some(found) = self.finder.find(&input[at..]) {
            return Some(at + found + END.len());
        }
        // No end inside: only the last four bytes can be the beginning of one.
        let tail = at.max(input.len().saturating_sub(END.len() - 1));
        for byte in &input[tail..] {
            self.step(*byte);
        }
        None
    }

    /// Moves the match on by one byte; true at the end of [`END`].
    fn step(&mut self, byte: u8) -> bool {
        self.matched = match (self.matched, byte) {
            (1, b'\n') => 2,
            (2, b'.') => 3,
            (3, b'\r') => 4,
            (4, b'\n') => return true,
            (_, b'\r') => 1,
            _ => 0,
        };
        false
    }

    fn keep_unstuffed(&mut self, mut input: &[u8]) {
        while let Some(first) = input.first() {
            if self.line == Line::Start && *first == b'.' {
                input = &input[1..];
                self.line = Line::Middle;
                continue;
            }
            if self.line == Line::AfterCr && *first == b'\n' {
                self.kept.push(b'\n');
                input = &input[1..];
                self.line = Line::Start;
                continue;
            }
            let length = memchr(b'\n', input).map_or(input.len(), |lf| lf + 1);
            let (line, rest) = input.split_at(length);
            self.kept.extend_from_slice(line);
            self.line = match line {
                [.., b'\r', b'\n'] => Line::Start,
                [.., b'\r'] => Line::AfterCr,
                _ => Line::Middle,
            };
            input = rest;
        }
    }
}

fn ends_head(kept: &[u8]) -> bool {
    memchr::memmem::find(kept, b"\r\n\r\n").is_some()
}

/// The header fields that a record keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadFields<'a> {
    pub(crate) message_id: Option<&'a str>,
    pub(crate) reference: Option<&'a str>,
}

impl<'a> HeadFields<'a> {
    /// Looks through the header section (RFC 5322 section 2.2); a folded value begins on its next line.
    pub(crate) fn find(message: &'a [u8]) -> Self {
        let mut found = Self::default();
        let mut rest = message;
        while let Some(lf) = memchr(b'\n', rest) {
            let line = rest[..lf].trim_ascii();
            let after = &rest[lf + 1..];
            if line.is_empty() {
                break;
            }
            if let Some(value) = field(line, after, b"message-id:") {
                found.message_id.get_or_insert(value);
            } else if let Some(value) = field(line, after, b"x-postroad-ref:") {
                found.reference.get_or_insert(value);
            }
            rest = after;
        }
        found
    }
}

fn field<'a>(line: &'a [u8], after: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let (head, value) = line.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    let mut value = value.trim_ascii();
    if value.is_empty() && (after.starts_with(b" ") || after.starts_with(b"\t")) {
        value = after[..memchr(b'\n', after).unwrap_or(after.len())].trim_ascii();
    }
    std::str::from_utf8(value).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `wire` in pieces of every size: the message and what is left must not depend on it.
    fn check(wire: &str, expected: Option<(&str, &str)>) {
        for piece in 1..=wire.len() {
            let mut body = Body::new(BodyUse::Whole, 1_000);
            body.begin();
            let (mut at, mut ended) = (0, false);
            while at < wire.len() && !ended {
                let end = wire.len().min(at + piece);
                let (used, done) = body.take_data(&wire.as_bytes()[at..end]);
                at += used;
                ended = done;
            }
            let got = ended.then(|| (std::str::from_utf8(body.kept()).unwrap(), &wire[at..]));
            assert_eq!(got, expected, "{wire:?} in pieces of {piece}");
        }
    }

    #[test]
    fn a_message_ends_at_crlf_dot_crlf() {
        check("hi\r\n.\r\nMAIL", Some(("hi\r\n", "MAIL")));
        check(".\r\n", Some(("", "")));
        check("\r\n.\r\n.\r\n", Some(("\r\n", ".\r\n")));
        check("a\r\n\r\n\r\n.\r\n", Some(("a\r\n\r\n\r\n", "")));
        check("a\r\n.\r\r\n.\r\n", Some(("a\r\n\r\r\n", "")));
    }

    #[test]
    fn stuffed_dots_are_taken_away() {
        check("..\r\n...b\r\n.\r\n", Some((".\r\n..b\r\n", "")));
        check("a.\r\n.b\r\n.\r\n", Some(("a.\r\nb\r\n", "")));
    }

    #[test]
    fn a_bare_lf_or_cr_never_ends_a_message() {
        check("a\n.\r\nRCPT", None);
        check("a\n.\nRCPT", None);
        check("a\r.\r\nRCPT", None);
        check("a\r\n.\nRCPT", None);
        check("a\r\n.\rRCPT", None);
        check("a\n.\nb\r\n.\r\nQ", Some(("a\n.\nb\r\n", "Q")));
    }

    #[test]
    fn only_counting_keeps_nothing() {
        let mut body = Body::new(BodyUse::Count, 1_000);
        body.begin();
        assert_eq!(body.take_data(b"hello\r\n.\r\nnext"), (10, true));
        assert_eq!((body.wire_bytes(), body.kept.capacity()), (10, 0));
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut body = Body::new(BodyUse::Whole, 10);
        body.begin();
        for _ in 0..100 {
            body.take_data(b"0123456\r\n");
        }
        assert!(body.too_large());
        assert!(body.kept().len() <= 13);
    }

    #[test]
    fn two_fields_of_the_head_are_found() {
        let check = |message: &str, message_id, reference| {
            let found = HeadFields::find(message.as_bytes());
            assert_eq!(found, HeadFields { message_id, reference }, "{message:?}");
        };
        check("Message-ID: <a@b>\r\nX: y\r\n\r\n", Some("<a@b>"), None);
        check("x-postroad-ref: r1\r\nMESSAGE-ID:\r\n <c@d>\r\n\r\n", Some("<c@d>"), Some("r1"));
        check("X: y\r\n\r\nMessage-ID: <body@b>\r\n", None, None);
        check("", None, None);
        check("Message-ID:\r\n\r\n", None, None);
    }
}
