//! Lines of a report: the address at its front, and what the words before an address say about it.
//!
//! `prose` asks it for each line. It knows the dresses in which servers put addresses (brackets, quotes, bullets, repeats,
//! `expanded from`) and the labels of senders and recipients. It also joins a
//! quoted reply with the lines that go on with it. What always holds: it remembers nothing between calls.

use crate::address;
use crate::codes;
use crate::dsn::truncate;
use crate::reading::MAX_DIAGNOSTIC;

/// Most lines of one reason.
pub(crate) const MAX_REASON: usize = 30;

/// An address at the front of a line.
pub(crate) struct Front<'l> {
    pub address: String,
    pub alias: Option<String>,
    pub rest: &'l str,
    pub angled: bool,
}

/// The address at the front of a line, behind bullets and numbers.
pub(crate) fn front(line: &str) -> Option<Front<'_>> {
    let bare = line
        .trim_start_matches([
            '*', '\u{2022}', '\u{b7}', '\u{2013}', '>', ' ', '\t', '-', '|', '+', '#',
        ])
        .trim_start();
    let bare = bare.strip_prefix("mailto:").unwrap_or(bare);
    // Mentions of us and of headers are not recipients.
    let angled = bare.starts_with('<');
    let quoted = bare.starts_with(['"', '\'']);
    let inner = &bare[usize::from(angled || quoted)..];
    let at = inner.find('@').filter(|at| *at < 160)?;
    let found =
        address::find_all(inner.get(..inner.len().min(600)).unwrap_or(inner)).into_iter().next()?;
    if found.at.start != 0 || found.at.end <= at {
        return None;
    }
    let mut rest = inner[found.at.end..].trim_start_matches(['>', '"', '\'']);
    // Activehunter writes `a <a>`, Exchange `a (a)<mailto:a>`.
    rest = skip_repeats(rest, &found.address);
    let mut alias = None;
    let mut address = found.address;
    // `name@host <a>: reason`: what stands in brackets is the address.
    let inner = rest.trim_start().strip_prefix('<').and_then(|r| r.split_once('>'));
    if let Some((other, after)) = inner.filter(|(_, after)| after.starts_with(':'))
        && let Some(other) = address::first(other)
    {
        alias = Some(std::mem::replace(&mut address, other));
        rest = after;
    }
    for word in ["expanded from", "generated from", "ultimately generated from", "aliased from"] {
        let here = rest.trim_start().trim_start_matches('(').strip_prefix(word);
        if let Some(after) = here {
            alias = address::first(after);
            rest = after.find(')').map_or("", |end| &after[end + 1..]);
            break;
        }
    }
    Some(Front { address, alias, rest, angled })
}

fn skip_repeats<'l>(rest: &'l str, address: &str) -> &'l str {
    let mut rest = rest.trim_start();
    for _ in 0..3 {
        let inner = rest.trim_start_matches(['<', '(', '[']);
        let inner =
            inner.strip_prefix("mailto:").or_else(|| inner.strip_prefix("SMTP:")).unwrap_or(inner);
        let same = inner.get(..address.len()).is_some_and(|s| s.eq_ignore_ascii_case(address));
        if !same || inner.len() == rest.len() {
            break;
        }
        rest = inner[address.len()..].trim_start_matches(['>', ')', ']']).trim_start();
    }
    rest
}

/// `on Thu, 29 Apr` and a bare comma are no reasons.
pub(crate) fn says_nothing(rest: &str) -> bool {
    rest.starts_with("on ")
        || rest.trim_matches([',', ';', '.', '>', ')']).trim().is_empty()
        || rest.starts_with("(unrecoverable error)")
}

/// Lines that name the sender, or where to ask.
pub(crate) fn is_about_us(line: &str) -> bool {
    const LABELS: [&str; 22] = [
        "from:",
        "sender:",
        "original sender",
        "reply-to:",
        "message-id:",
        "return-path:",
        "envelope-from",
        "mail from:",
        "sent by",
        "x-postfix-sender",
        "sender-mta",
        "message id:",
        "references:",
        "in-reply-to:",
        "cc:",
        "subject:",
        "messagename:",
        "message name",
        "date:",
        "from ",
        "sent:",
        "absender:",
    ];
    let lower = line.trim_start_matches(['-', '*', ' ']).to_ascii_lowercase();
    LABELS.iter().any(|label| lower.starts_with(label))
}

/// The words before an address say that it is a sender's or a helper's.
pub(crate) fn of_sender(before: &str) -> bool {
    const ENDS: [&str; 20] = [
        "from",
        "from:",
        "sender",
        "sender:",
        "contact",
        "write to",
        "please contact",
        "email to",
        "e-mail to",
        "mail us at",
        "reply to",
        "send mail to",
        "send email to",
        "please send",
        "questions to",
        "report to",
        "by",
        "assistance",
        "message-id:",
        "id",
    ];
    let before = before.trim_end();
    ENDS.iter().any(|end| {
        before
            .strip_suffix(end)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(|c: char| !c.is_alphanumeric()))
    })
}

/// The words before an address say that it is a recipient's.
pub(crate) fn labels_recipient(before: &str) -> bool {
    const ENDS: [&str; 34] = [
        "till",
        "til",
        "naar",
        "aan",
        "chez",
        "do",
        "на",
        "адрес",
        "to",
        "to:",
        "for",
        "for:",
        "recipient",
        "recipient:",
        "recipients:",
        "recipient(s):",
        "address",
        "address:",
        "user",
        "user:",
        "mailbox",
        "account",
        "rcpt to:",
        "rcpt to",
        "to address",
        "addressed to:",
        "deliver",
        "reached",
        "reach",
        "an",
        "à",
        "para",
        "a",
        "für",
    ];
    let before = before.trim_end();
    before.is_empty()
        || before.ends_with(':')
        || ENDS.iter().any(|end| {
            before.strip_suffix(end).is_some_and(|rest| {
                rest.is_empty() || rest.ends_with(|c: char| !c.is_alphanumeric())
            })
        })
}

/// The first line with a reply code and a text after it, joined with the lines that go on with it.
pub(crate) fn reply_line(lines: &[&str]) -> String {
    let quotes = |line: &str| {
        let line = line.trim();
        let found = codes::of(line);
        found.code.is_some() || found.status.is_some()
    };
    let Some(start) = lines.iter().position(|l| quotes(l)) else { return String::new() };
    // The line before may say at which command it was.
    let first = start.saturating_sub(usize::from(
        start > 0
            && (lines[start - 1].trim_end().ends_with(':') || lines[start - 1].contains(">>> ")),
    ));
    let mut reply = String::new();
    for line in lines[first..].iter().take(MAX_REASON) {
        let line = line.trim();
        if line.is_empty() || (line.starts_with("---") && !reply.is_empty()) {
            break;
        }
        push_line(&mut reply, line);
    }
    truncate(&mut reply, MAX_DIAGNOSTIC);
    reply
}

pub(crate) fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(line.trim_start_matches("<<< "));
}
