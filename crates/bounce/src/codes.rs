//! Codes and the SMTP command inside a diagnostic text.
//!
//! `understand` asks for them. It follows RFC 5321 section 4.2 for reply codes and RFC 3463 section 2 for enhanced ones,
//! as servers wrap them: `#5.1.1`, `(#4.4.1)`, `550-5.7.1`, `said: 550 5.1.1 ...`, `SMTP;550`. What always holds: numbers
//! that are parts of addresses, versions or durations are not taken for codes. It does not interpret them.

use postroad_model::EnhancedStatus;
use postroad_model::reply::Phase;

/// How many words of a diagnostic are looked through.
const MAX_WORDS: usize = 400;

/// The codes of a diagnostic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codes {
    pub code: Option<u16>,
    pub status: Option<EnhancedStatus>,
}

/// The first reply code of a text, and the first enhanced status that agrees with it.
pub(crate) fn of(text: &str) -> Codes {
    let mut codes = Codes::default();
    let mut statuses: Vec<EnhancedStatus> = Vec::new();
    let mut before = "";
    for word in text.split_whitespace().take(MAX_WORDS) {
        let (code, rest) = code_at_front(word);
        if let Some(code) = code.filter(|_| codes.code.is_none() && !counts(before)) {
            codes.code = Some(code);
        }
        if let Some(status) = status_in(if code.is_some() { rest } else { word }) {
            statuses.push(status);
        }
        before = word;
    }
    let agrees = |s: &&EnhancedStatus| codes.code.is_none_or(|c| c / 100 == u16::from(s.class));
    // A status that says something is worth more than x.0.0 next to it.
    codes.status = statuses
        .iter()
        .find(|s| agrees(s) && says_something(**s))
        .or_else(|| statuses.iter().find(agrees))
        .or_else(|| statuses.iter().find(|s| says_something(**s)))
        .copied();
    codes
}

/// The first reply code that a text quotes, and the first enhanced status that agrees with it.
#[must_use]
pub fn codes_in(text: &str) -> (Option<u16>, Option<EnhancedStatus>) {
    let found = of(text);
    (found.code, found.status)
}

/// Whether a status is more than "other or undefined" (RFC 3463 section 3.1).
pub(crate) fn says_something(status: EnhancedStatus) -> bool {
    (status.subject, status.detail) != (0, 0)
}

/// `550`, `550-5.7.1`, `#550`, `smtp;550`, `(550)`: the code and what is left of the word.
fn code_at_front(word: &str) -> (Option<u16>, &str) {
    let word = word.rsplit_once(';').map_or(word, |(_, w)| w);
    let bare = word.trim_start_matches(['(', '[', '<', '"', '\'', '#', ':', '`']);
    // error:550 and ERROR_CODE:550
    let bare = match bare.split_once(':') {
        Some((name, value)) if name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') => {
            value.trim_start_matches(['#', '(', '"'])
        }
        _ => bare,
    };
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let code = bare.get(..digits).filter(|_| digits == 3).and_then(|d| d.parse::<u16>().ok());
    let rest = bare.get(digits..).unwrap_or_default();
    let ends = rest.is_empty()
        || rest.starts_with(['-', ':', ';', ',', ')', ']', '>', '"', '\'', '.', '/', '_', '!'])
            && !rest.starts_with(".0")
            && !rest[1..]
                .starts_with(|c: char| c.is_ascii_digit() && !rest.starts_with(['-', ':']));
    let real = code.filter(|c| ends && is_reply_code(*c));
    (real, rest.trim_start_matches(['-', ':', ' ']))
}

/// Refusals that servers write; other numbers of three digits are something else.
fn is_reply_code(code: u16) -> bool {
    (421..=471).contains(&code) || (500..=579).contains(&code)
}

/// "after 500 seconds", "id=550", "port 550" are no codes.
fn counts(before: &str) -> bool {
    let before = before.trim_start_matches('(').to_ascii_lowercase();
    matches!(
        before.as_str(),
        "after"
            | "in"
            | "port"
            | "id"
            | "for"
            | "of"
            | "than"
            | "over"
            | "within"
            | "line"
            | "every"
    )
}

fn status_in(word: &str) -> Option<EnhancedStatus> {
    let start = word.find(|c: char| c.is_ascii_digit())?;
    let lead = &word[..start];
    // v5.2.1 is a version, a-5.1.1 part of a name; 550-5.7.1 was taken apart before.
    let word_like = lead.chars().any(|c| c.is_ascii_alphanumeric());
    if word_like && !lead.ends_with([';', ':', '#', '(', '[', '<', '=']) {
        return None;
    }
    let text = &word[start..];
    let (status, rest) = EnhancedStatus::parse_prefix(text).or_else(|| {
        // "5.1.1." at the end of a sentence, "5.1.1.<a@b>"
        let (_, end) =
            text.char_indices().filter(|(_, c)| *c == '.').nth(2).map(|(i, _)| text.split_at(i))?;
        let ends = !end[1..].starts_with(|c: char| c.is_ascii_digit());
        ends.then(|| EnhancedStatus::parse_prefix(&text[..text.len() - end.len()])).flatten()
    })?;
    let ends =
        !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@' || c == '_' || c == '/');
    (ends && status.class != 2 && status.subject <= 7).then_some(status)
}

/// The command that a diagnostic says was refused.
pub(crate) fn command(text: &str) -> Option<Phase> {
    const TELLS: [(&str, Phase); 46] = [
        ("in reply to rcpt to", Phase::RcptTo),
        ("in reply to mail from", Phase::MailFrom),
        ("in reply to end of data", Phase::FinalDot),
        ("in reply to data", Phase::Data),
        ("in reply to ehlo", Phase::Ehlo),
        ("in reply to helo", Phase::Ehlo),
        ("in reply to starttls", Phase::StartTls),
        ("in reply to auth", Phase::Auth),
        ("while performing the ehlo", Phase::Ehlo),
        ("while performing the helo", Phase::Ehlo),
        ("while receiving the initial server greeting", Phase::Greeting),
        ("refused to talk to me", Phase::Greeting),
        ("after rcpt to", Phase::RcptTo),
        ("after rcpt command", Phase::RcptTo),
        ("following rcpt command", Phase::RcptTo),
        ("after mail from", Phase::MailFrom),
        ("after mail command", Phase::MailFrom),
        ("following mail command", Phase::MailFrom),
        ("after pipelined rcpt", Phase::RcptTo),
        ("after pipelined mail", Phase::MailFrom),
        ("after pipelined data", Phase::Data),
        ("after pipelined end of data", Phase::FinalDot),
        ("after end of data", Phase::FinalDot),
        ("after data", Phase::Data),
        ("following data command", Phase::Data),
        ("after ehlo", Phase::Ehlo),
        ("after helo", Phase::Ehlo),
        ("after initial connection", Phase::Greeting),
        ("after starttls", Phase::StartTls),
        (">>> rcpt to", Phase::RcptTo),
        (">>> mail from", Phase::MailFrom),
        (">>> data", Phase::Data),
        (">>> ehlo", Phase::Ehlo),
        (">>> helo", Phase::Ehlo),
        ("[rcpt_to]", Phase::RcptTo),
        ("[mail_from]", Phase::MailFrom),
        ("[data]", Phase::Data),
        ("does not like recipient", Phase::RcptTo),
        ("did not like our rcpt to", Phase::RcptTo),
        ("did not like our mail from", Phase::MailFrom),
        ("did not like our final data", Phase::FinalDot),
        ("did not like our data", Phase::Data),
        ("but my name was rejected", Phase::Ehlo),
        ("but sender was rejected", Phase::MailFrom),
        ("but greeting failed", Phase::Greeting),
        ("failed after i sent the message", Phase::FinalDot),
    ];
    let lower = text.to_ascii_lowercase();
    TELLS.iter().find(|(tell, _)| lower.contains(tell)).map(|(_, phase)| *phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: Option<u16>, status: Option<&str>) {
        let found = of(text);
        let found = (found.code, found.status.map(|s| s.to_string()));
        assert_eq!(found, (code, status.map(str::to_owned)), "{text}");
    }

    #[test]
    fn codes_are_found_in_every_dress() {
        check("550 5.1.1 <a@b> unknown", Some(550), Some("5.1.1"));
        check(
            "host x[192.0.2.1] said: 550-5.7.1 [192.0.2.22 18] no 550 5.7.1 more",
            Some(550),
            Some("5.7.1"),
        );
        check("Sorry, no connection. (#4.4.1)", None, Some("4.4.1"));
        check("#550 5.2.2 STOREDRV", Some(550), Some("5.2.2"));
        check("<mail.x #5.1.1 smtp;550 5.1.1 no>", Some(550), Some("5.1.1"));
        check("554 554 5.7.0 Header error (state 18)", Some(554), Some("5.7.0"));
        check("a@b Error, ERROR_CODE :421, ERROR_CODE :, Host", Some(421), None);
        check("[550 5.1.1 User unknown]", Some(550), Some("5.1.1"));
        check("552-5.2.2 x 552 5.2.2", Some(552), Some("5.2.2"));
        check("550 5.1.1. bye", Some(550), Some("5.1.1"));
        check("451 4.7.500 Server busy", Some(451), Some("4.7.500"));
        check("550 5.0.0 x (5.7.1)", Some(550), Some("5.7.1"));
        check("SMTP error: 550_x", Some(550), None);
        check("<421 4.4.2 Connection timed out>", Some(421), Some("4.4.2"));
    }

    #[test]
    fn other_numbers_are_not() {
        check("gave up after 500 seconds from 192.0.5.5 port 550", None, None);
        check("Exim v5.2.1 at 5.1.1.1, 450000 bytes", None, None);
        check("550.0 or 5501 or 55", None, None);
        check("id a-5.1.1-b x5.1.1", None, None);
    }

    #[test]
    fn commands_are_found() {
        assert_eq!(command("x (in reply to RCPT TO command)"), Some(Phase::RcptTo));
        assert_eq!(command("SMTP error after MAIL FROM:<a@b> SIZE=1:"), Some(Phase::MailFrom));
        assert_eq!(command("nothing"), None);
    }
}
