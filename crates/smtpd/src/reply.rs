//! A reply of the server: code, enhanced status and text.
//!
//! Written by the session, by rules and by handlers; RFC 5321 section 4.2, RFC 2034, RFC 3463.
//! A reply is written in a configuration as one string, `"550 5.1.1 no such user"`; `\n` in the text
//! makes a reply of many lines. What always holds: no CR reaches the wire but the one of a line's end.
//! It does not judge whether code and status fit together: a scripted server may talk nonsense.

use std::{borrow::Cow, fmt, io::Write as _, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enhanced status code (RFC 3463), with room for Microsoft's three-digit details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    /// 2, 4 or 5.
    pub class: u16,
    /// What it is about.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for Enhanced {
    type Err = ReplyError;

    fn from_str(text: &str) -> Result<Self, ReplyError> {
        let mut parts = text.split('.').map(|part| {
            if part.is_empty() || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(ReplyError);
            }
            part.parse::<u16>().map_err(|_| ReplyError)
        });
        let mut next = || parts.next().ok_or(ReplyError)?;
        let status = Self { class: next()?, subject: next()?, detail: next()? };
        if parts.next().is_some() || !matches!(status.class, 2 | 4 | 5) {
            return Err(ReplyError);
        }
        Ok(status)
    }
}

/// A text that is not a reply such as `550 5.1.1 no such user`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reply is written as \"550 5.1.1 text\": a code of 200 to 599, a status, a text")]
pub struct ReplyError;

/// What the server says to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Left out where ENHANCEDSTATUSCODES is hidden.
    pub enhanced: Option<Enhanced>,
    /// Each `\n` begins a new line of the reply.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced status.
    pub const fn new(code: u16, status: (u16, u16, u16), text: &'static str) -> Self {
        let (class, subject, detail) = status;
        let enhanced = Some(Enhanced { class, subject, detail });
        Self { code, enhanced, text: Cow::Borrowed(text) }
    }

    /// A reply without one: greeting, EHLO, 334 and 354 (RFC 2034 section 4).
    pub fn bare(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// The same reply with another text.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = text.into();
        self
    }

    /// 2yz and 3yz: the command was done, or may go on.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Appends the reply as it goes over the wire.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>, shown: Statuses) {
        let enhanced = match shown {
            Statuses::Shown => self.enhanced,
            Statuses::Hidden => None,
        };
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            let line = line.trim_end_matches('\r');
            let written = match enhanced {
                Some(status) => write!(out, "{}{mark}{status} {line}\r\n", self.code),
                None => write!(out, "{}{mark}{line}\r\n", self.code),
            };
            written.expect("a Vec takes every write");
        }
    }
}

/// Whether enhanced statuses go over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statuses {
    Shown,
    Hidden,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enhanced {
            Some(status) => write!(f, "{} {status} {}", self.code, self.text),
            None => write!(f, "{} {}", self.code, self.text),
        }
    }
}

impl FromStr for Reply {
    type Err = ReplyError;

    fn from_str(line: &str) -> Result<Self, ReplyError> {
        let (code, rest) = line.split_once(' ').unwrap_or((line, ""));
        let code: u16 = code.parse().map_err(|_| ReplyError)?;
        if !(200..=599).contains(&code) {
            return Err(ReplyError);
        }
        let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
        Ok(match first.parse() {
            Ok(status) => Self { code, enhanced: Some(status), text: Cow::Owned(text.to_owned()) },
            Err(_) => Self::bare(code, rest.to_owned()),
        })
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!("`{}` is not a reply: {ReplyError}", text.trim()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, wire: &str) {
        let reply: Reply = written.parse().unwrap();
        let mut out = Vec::new();
        reply.write_to(&mut out, Statuses::Shown);
        assert_eq!(String::from_utf8(out).unwrap(), wire);
        assert_eq!(reply.to_string(), written);
    }

    #[test]
    fn a_reply_is_written_as_one_string() {
        check("250 2.0.0 ok", "250 2.0.0 ok\r\n");
        check("354 go ahead", "354 go ahead\r\n");
        check("550 5.4.5 one\ntwo", "550-5.4.5 one\r\n550 5.4.5 two\r\n");
        check("550 5.7.509 access denied", "550 5.7.509 access denied\r\n");
        check("421 4.2 is no status", "421 4.2 is no status\r\n");
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for text in ["", "abc", "99 no", "600 no", "2500 no"] {
            assert_eq!(text.parse::<Reply>(), Err(ReplyError), "{text:?}");
        }
    }

    #[test]
    fn a_hidden_status_is_left_out() {
        let mut out = Vec::new();
        Reply::new(250, (2, 0, 0), "ok").write_to(&mut out, Statuses::Hidden);
        assert_eq!(out, b"250 ok\r\n");
    }
}
