//! SMTP replies (RFC 5321 section 4.2) and enhanced status codes (RFC 3463, registry of RFC 5248).
//!
//! A `Reply` keeps the text as it came: classification and the operator need every digit.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An enhanced status code `class.subject.detail`; Microsoft uses details above 255, so all digits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnhancedStatus {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What it concerns: 1 address, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail inside the subject.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Reads `5.7.509` at the start of a text; the rest of the text is given back.
    #[must_use]
    pub fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (code, rest) = text.split_at(end);
        let mut parts = code.split('.');
        let class: u8 = parts.next()?.parse().ok()?;
        let subject = digits(parts.next()?)?;
        let detail = digits(parts.next()?)?;
        (parts.next().is_none() && matches!(class, 2 | 4 | 5))
            .then_some((Self { class, subject, detail }, rest))
    }

    /// Reads a whole text as an enhanced status code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_prefix(text.trim()).filter(|(_, rest)| rest.is_empty()).map(|(s, _)| s)
    }
}

fn digits(text: &str) -> Option<u16> {
    (1..=3).contains(&text.len()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// What a relay answered to one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The three-digit code, 200..=599.
    pub code: u16,
    /// The enhanced status of the first line that has one.
    pub enhanced: Option<EnhancedStatus>,
    /// The text of all lines joined with `\n`, without codes.
    pub text: String,
}

impl Reply {
    /// A reply from its parts; the enhanced status is read off the front of the text where it stands there.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        let mut enhanced = None;
        let lines: Vec<&str> = text
            .split('\n')
            .map(|line| match EnhancedStatus::parse_prefix(line) {
                Some((status, rest)) if status.class == (code / 100) as u8 => {
                    enhanced.get_or_insert(status);
                    rest.trim_start()
                }
                Some(_) | None => line,
            })
            .collect();
        Self { code, enhanced, text: lines.join("\n") }
    }

    /// The first digit of the code.
    #[must_use]
    pub fn class(&self) -> ReplyClass {
        match self.code / 100 {
            2 => ReplyClass::Positive,
            3 => ReplyClass::Intermediate,
            4 => ReplyClass::Transient,
            5 => ReplyClass::Permanent,
            _ => ReplyClass::Malformed,
        }
    }

    /// True for 2yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.class() == ReplyClass::Positive
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.enhanced {
            write!(f, " {status}")?;
        }
        write!(f, " {}", self.text.replace('\n', " "))
    }
}

/// The first digit of a reply code (RFC 5321 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyClass {
    /// 2yz
    Positive,
    /// 3yz
    Intermediate,
    /// 4yz
    Transient,
    /// 5yz
    Permanent,
    /// Anything else: the peer does not speak SMTP.
    Malformed,
}

/// Where in the SMTP dialogue a reply or a fault came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// TCP connect, before any byte.
    Connect,
    /// The 220 greeting.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS and the TLS handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    MailFrom,
    /// RCPT TO.
    RcptTo,
    /// DATA, before the 354.
    Data,
    /// The message body, before the final dot.
    Body,
    /// The reply to the final dot.
    FinalDot,
}

impl Phase {
    /// True while the relay has not yet been told of a message: nothing there concerns a recipient.
    #[must_use]
    pub fn before_transaction(self) -> bool {
        match self {
            Self::Connect | Self::Greeting | Self::Ehlo | Self::StartTls | Self::Auth => true,
            Self::MailFrom | Self::RcptTo | Self::Data | Self::Body | Self::FinalDot => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_of_an_enhanced_status_is_kept() {
        let reply = Reply::new(550, "5.7.509 Access denied, sending domain does not pass DMARC");
        assert_eq!(reply.enhanced.map(|e| e.to_string()), Some("5.7.509".into()));
        assert_eq!(reply.text, "Access denied, sending domain does not pass DMARC");
    }

    #[test]
    fn a_status_of_another_class_or_shape_stays_in_the_text() {
        let check = |code, text: &str| {
            let reply = Reply::new(code, text);
            assert_eq!((reply.enhanced, reply.text.as_str()), (None, text));
        };
        check(450, "5.7.1 odd");
        check(550, "5.7 short");
        check(550, "10.0.0.1 is listed");
        check(550, "5.7.1.2 is not one");
    }

    #[test]
    fn the_status_of_the_first_line_counts_and_later_lines_lose_theirs() {
        let reply = Reply::new(550, "5.4.5 Daily user sending limit\n5.4.5 exceeded. Try again");
        assert_eq!(reply.text, "Daily user sending limit\nexceeded. Try again");
    }
}
