//! Feedback reports: somebody pressed "spam", wants to leave, or a server saw mail that failed authentication.
//!
//! `read` calls it before anything else. It follows RFC 5965 for the report and RFC 6591 for failed authentication, and
//! knows Microsoft's junk reports, which have no report part, and Apple's unsubscribing, which is a mail. What always
//! holds: only the types that say so are complaints; a redacted recipient is none. It does not ask who sent the report:
//! whether a complaint is believed is for those who act on it.

use crate::address;
use crate::dsn::truncate;
use crate::fields::{self, Fields};
use crate::mime::{Kind, Mail};
use crate::reading::{Confidence, FeedbackType, MAX_DIAGNOSTIC, MAX_REPORTS, Report};
use crate::words::kind_of;
use postroad_model::verdict::{BounceKind, Reason};

/// The reports of a feedback mail; nothing where it is none. `returned` is the header of the message that it is about.
pub(crate) fn read(mail: &Mail<'_>, returned: &Fields) -> Vec<Report> {
    if let Some(report) = report_fields(mail) {
        return of_report(&report, mail, returned);
    }
    if let Some(recipient) = junk_report(mail, returned) {
        return vec![report(Some(recipient), FeedbackType::Abuse, "jmrp", mail, Confidence::High)];
    }
    if mail.fields.has("x-apple-unsubscribe") {
        let from = mail.fields.get("from").and_then(address::of_field);
        return vec![report(
            from,
            FeedbackType::OptOut,
            "apple-unsubscribe",
            mail,
            Confidence::High,
        )];
    }
    Vec::new()
}

/// The fields of the report part, or those that stand in a text part of a report.
fn report_fields(mail: &Mail<'_>) -> Option<Fields> {
    let has_type = |fields: &Fields| fields.has("feedback-type");
    let parsed = |text: &str| fields::parse(text.trim_start().as_bytes()).0;
    if let Some(part) = mail.parts(Kind::Feedback).next() {
        // Some put a blank line between the fields, or the type is missing.
        let whole: String =
            part.text.lines().filter(|l| !l.trim().is_empty()).map(|l| format!("{l}\n")).collect();
        return Some(parsed(&whole));
    }
    let declared = mail.report_type.contains("feedback");
    // A text that only quotes a report is talk about one: a real one brings the message along.
    let returned = mail.parts(Kind::Returned).next().is_some();
    mail.parts(Kind::Text).find_map(|part| {
        let at = part.text.find("Feedback-Type:")?;
        let line_start = at == 0 || part.text[..at].ends_with('\n');
        let fields = parsed(&part.text[at..]);
        let others = fields.has("user-agent") || fields.has("version");
        (line_start && has_type(&fields) && (declared || (others && returned && at < 4_000)))
            .then_some(fields)
    })
}

fn of_report(fields: &Fields, mail: &Mail<'_>, returned: &Fields) -> Vec<Report> {
    let word = fields.get("feedback-type").unwrap_or_default().trim().to_ascii_lowercase();
    let kind = FeedbackType::parse(&word);
    let mut recipients: Vec<String> = Vec::new();
    for name in ["original-rcpt-to", "removal-recipient", "redacted-address"] {
        for value in fields.all(name) {
            for found in address::find_all(value) {
                let known = recipients.iter().any(|r| r.eq_ignore_ascii_case(&found.address));
                if !known && !is_redacted(&found.address) && recipients.len() < MAX_REPORTS {
                    recipients.push(found.address);
                }
            }
        }
    }
    let mut confidence = Confidence::High;
    if recipients.is_empty() {
        confidence = Confidence::Medium;
        recipients.extend(recipient_of(returned));
    }
    let rule = format!(
        "feedback-{}",
        if word.is_empty() { "unnamed" } else { kind.map_or("unknown", FeedbackType::as_str) }
    );
    let make = |recipient: Option<String>| match kind {
        Some(kind) => report(recipient, kind, &rule, mail, confidence),
        None => Report {
            kind: BounceKind::Other,
            reason: Reason::Unknown,
            feedback: None,
            ..report(recipient, FeedbackType::Other, &rule, mail, Confidence::Low)
        },
    };
    if recipients.is_empty() {
        return vec![make(None)];
    }
    recipients.into_iter().map(|r| make(Some(r))).collect()
}

/// To whom the reported message went.
pub(crate) fn recipient_of(returned: &Fields) -> Option<String> {
    [
        "x-hmxmroriginalrecipient",
        "x-rcpt-to",
        "x-envelope-to",
        "x-failed-recipients",
        "to",
        "apparently-to",
        "cc",
    ]
    .iter()
    .filter_map(|name| returned.get(name))
    .filter_map(|value| address::first(value).or_else(|| address::of_field(value)))
    .find(|address| !is_redacted(address))
}

/// Whether the reporter hid the address (RFC 6590 leaves the form open).
fn is_redacted(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let local = lower.split('@').next().unwrap_or_default();
    ["redacted", "removed", "hidden", "undisclosed", "deleted", "xxxxx"]
        .iter()
        .any(|w| lower.contains(w))
        || local.chars().all(|c| c == 'x' || c == '*' || c == '.') && local.len() > 4
}

/// Microsoft's Junk Mail Reporting Program sends the message itself, with the recipient in a header of its own.
fn junk_report(mail: &Mail<'_>, returned: &Fields) -> Option<String> {
    let bounced = mail.parts(Kind::Status).next().is_some();
    if let Some(value) = returned.get("x-hmxmroriginalrecipient").filter(|_| !bounced) {
        return address::of_field(value);
    }
    let from = mail.fields.get("from").and_then(address::of_field).unwrap_or_default();
    let subject = mail.fields.decoded("subject").unwrap_or_default().to_ascii_lowercase();
    let theirs = from.eq_ignore_ascii_case("staff@hotmail.com")
        || subject.starts_with("complaint about message from");
    (theirs && returned.len() > 0).then(|| recipient_of(returned)).flatten()
}

fn report(
    recipient: Option<String>,
    feedback: FeedbackType,
    rule: &str,
    mail: &Mail<'_>,
    confidence: Confidence,
) -> Report {
    let reason = feedback.reason();
    let mut diagnostic = mail
        .parts(Kind::Text)
        .next()
        .map_or(String::new(), |p| p.text.split_whitespace().collect::<Vec<_>>().join(" "));
    truncate(&mut diagnostic, MAX_DIAGNOSTIC);
    Report {
        recipient,
        aliases: Vec::new(),
        action: None,
        status: None,
        code: None,
        diagnostic,
        reporting_mta: None,
        remote_mta: None,
        kind: kind_of(reason),
        reason,
        feedback: Some(feedback),
        confidence,
        rule: rule.to_owned(),
        steps: vec![format!("it is a feedback report of type {}", feedback.as_str())],
    }
}
