//! What kind of mail it is: a bounce, or nothing that speaks of a delivery.
//!
//! `read` asks it after feedback reports and before automatic answers. It weighs what servers do and people do not: the
//! null return path of RFC 5321 section 4.5.5, a server's address in From, a report by RFC 6522, the words of the subject
//! and of the first lines, a returned message. What always holds: words alone never make a bounce. It does not find
//! recipients.

use crate::address;
use crate::mime::{Kind, Mail};
use crate::phrases::phrases;
use crate::words::normal;

/// What was seen, and what it is worth together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    pub score: i32,
    /// Something that only servers do.
    pub server: bool,
}

/// From this score on it is a bounce.
const ENOUGH: i32 = 6;
/// How much of the text is looked at for phrases.
const FRONT: usize = 6_000;

impl Signs {
    pub fn is_bounce(self) -> bool {
        self.server && self.score >= ENOUGH
    }
}

/// Weighs a mail; `has_status` says that status fields with a recipient were found, `text` is the report's prose and
/// `returned` says that a returned message follows it or is attached.
pub(crate) fn weigh(mail: &Mail<'_>, has_status: bool, text: &str, returned: bool) -> Signs {
    let mut signs = Signs::default();
    let subject = normal(&mail.fields.decoded("subject").unwrap_or_default());
    let mut add = |holds: bool, worth: i32, server: bool| {
        if holds {
            signs.score += worth;
            signs.server |= server;
        }
    };
    let status_part = mail.parts(Kind::Status).next().is_some();
    let daemon = is_from_daemon(mail);
    let answer = is_answer(&subject);
    let subject_fits = phrases().bounce_subjects.is_in(&subject);
    let text_fits = phrases().bounce_texts.is_in(&normal(&text[..floor(text, FRONT)]));
    add(has_status, 3, false);
    add(status_part, 3, true);
    add(mail.main == "multipart/report" && mail.report_type.contains("delivery"), 2, true);
    add(mail.fields.has("x-failed-recipients"), 4, true);
    add(has_null_path(mail), 2, true);
    add(daemon, 3, true);
    add(subject_fits, 3, false);
    add(text_fits, 2, false);
    add(returned, 2, false);
    let attached = mail.parts(Kind::Returned).next().is_some();
    add(subject_fits && text_fits && attached, 1, !answer);
    add(mail.fields.get("auto-submitted").is_some_and(|v| !v.starts_with("no")), 1, false);
    // A server's mail that only mentions failures: digests of a quarantine, notes of a postmaster.
    let failed = mail.fields.has("x-failed-recipients");
    let told = subject_fits || has_status || status_part || failed || returned;
    add(!told && !has_null_path(mail), -2, false);
    let listed = ["list-unsubscribe", "list-post"].iter().any(|n| mail.fields.has(n));
    add(answer && !daemon, -4, false);
    add(listed && !daemon && !status_part, -4, false);
    add(mail.fields.has("in-reply-to") && !daemon && !status_part, -2, false);
    add(mail.parts(Kind::Disposition).next().is_some() && !has_status, -9, false);
    signs
}

/// Whether a receipt says that a filter refused the mail: RFC 5429 section 2.2 has `reject` answer so.
pub(crate) fn is_refusal(mail: &Mail<'_>, text: &str) -> bool {
    let submitted = mail.fields.get("auto-submitted").unwrap_or_default().to_ascii_lowercase();
    let deleted = |part: &str| {
        part.lines().map(str::to_ascii_lowercase).any(|l| {
            let value = l.strip_prefix("disposition").unwrap_or_default();
            value.contains("automatic")
                && ["deleted", "denied", "failed"].iter().any(|w| value.contains(w))
        })
    };
    mail.parts(Kind::Disposition).any(|p| deleted(&p.text))
        && (submitted.contains("rejected") || normal(text).contains("automatically rejected"))
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// Whether the mail was sent from nobody, or from what servers write for nobody.
pub(crate) fn has_null_path(mail: &Mail<'_>) -> bool {
    mail.fields.all("return-path").any(|path| {
        let path = path.trim();
        path.starts_with("<>")
            || path.is_empty()
            || address::is_daemon(path.trim_matches(['<', '>']))
    })
}

/// Whether the From is a server's, by its address or by its name.
pub(crate) fn is_from_daemon(mail: &Mail<'_>) -> bool {
    const NAMES: [&str; 18] = [
        "mail delivery",
        "mailer-daemon",
        "mailer daemon",
        "mail administrator",
        "system administrator",
        "postmaster",
        "mail deliver",
        "delivery subsystem",
        "mailsystem",
        "mail system",
        "mail.delivery",
        "internet mail delivery",
        "mail router",
        "microsoft outlook",
        "mail-daemon",
        "bounce handler",
        "delivery notification",
        "email delivery",
    ];
    let from = mail.fields.decoded("from").unwrap_or_default();
    let lower = from.to_lowercase();
    let bare = from.trim().trim_matches(['<', '>']);
    address::is_daemon(bare)
        || address::of_field(&from).is_some_and(|a| address::is_daemon(&a))
        || NAMES.iter().any(|name| lower.contains(name))
}

/// `Re:` and `Fwd:` in the languages that mail programs speak.
fn is_answer(subject: &str) -> bool {
    const PREFIXES: [&str; 14] = [
        "re:",
        "re :",
        "aw:",
        "sv:",
        "vs:",
        "rv:",
        "ref:",
        "fw:",
        "fwd:",
        "wg:",
        "tr:",
        "i:",
        "antw:",
        "\u{56de}\u{590d}:",
    ];
    PREFIXES.iter().any(|p| subject.trim_start().starts_with(p))
}
