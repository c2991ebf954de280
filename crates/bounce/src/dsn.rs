//! Delivery status fields: the machine's half of a bounce.
//!
//! `read` calls it for parts of type message/delivery-status and, where there is none, for texts that have such fields
//! in them. It follows RFC 3464 section 2 and RFC 6533 section 3, and repairs what servers do to them: misspelt names,
//! missing types, blank lines inside a recipient's fields, fields in any order. What always holds: at most
//! [`MAX_REPORTS`] recipients, each text bounded. It does not judge what a status means.

use crate::address;
use crate::fields;
use crate::reading::{Action, MAX_DIAGNOSTIC, MAX_REPORTS, MAX_VALUE};

/// What is said of the whole mail (RFC 3464 section 2.2) and of each recipient (section 2.3).
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub reporting_mta: Option<String>,
    pub envelope_id: Option<String>,
    /// `X-Original-Message-ID` and the like.
    pub message_id: Option<String>,
    pub recipients: Vec<Recipient>,
    /// A field was misspelt or stood where it should not.
    pub repaired: bool,
    pub cut: bool,
}

/// The fields of one recipient, as they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipient {
    pub last: Option<String>,
    pub original: Option<String>,
    pub actual: Option<String>,
    pub action: Option<Action>,
    pub status: Option<String>,
    /// The comment in the status field.
    pub comment: String,
    pub diagnostic: String,
    pub remote_mta: Option<String>,
    /// What PowerMTA concluded.
    pub category: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Final,
    Original,
    Actual,
    Action,
    Status,
    Diagnostic,
    RemoteMta,
    Category,
    ReportingMta,
    EnvelopeId,
    MessageId,
    /// Known, and of no use here.
    Ignored,
}

/// Names without hyphens, in lower case.
const NAMES: [(&str, Field); 25] = [
    ("finalrecipient", Field::Final),
    ("originalrecipient", Field::Original),
    ("xactualrecipient", Field::Actual),
    ("xoriginalrecipient", Field::Original),
    ("action", Field::Action),
    ("status", Field::Status),
    ("diagnosticcode", Field::Diagnostic),
    ("localizederrors", Field::Ignored),
    ("xsupplementaryinfo", Field::Diagnostic),
    ("xerror", Field::Diagnostic),
    ("xfailurereason", Field::Diagnostic),
    ("remotemta", Field::RemoteMta),
    ("xpowermtabouncecategory", Field::Category),
    ("reportingmta", Field::ReportingMta),
    ("originalenvelopeid", Field::EnvelopeId),
    ("xoriginalmessageid", Field::MessageId),
    ("originalmessageid", Field::MessageId),
    ("arrivaldate", Field::Ignored),
    ("receivedfrommta", Field::Ignored),
    ("dsngateway", Field::Ignored),
    ("lastattemptdate", Field::Ignored),
    ("willretryuntil", Field::Ignored),
    ("finallogid", Field::Ignored),
    ("xpostfixqueueid", Field::Ignored),
    ("xpostfixsender", Field::Ignored),
];

/// Reads the fields of a part that is a status.
pub(crate) fn parse(text: &str) -> Status {
    let mut reader = Reader { near: true, ..Reader::default() };
    for line in text.lines() {
        reader.line(line);
    }
    reader.done()
}

/// Reads the fields out of a text that has other lines too; nothing where they do not make a status.
pub(crate) fn parse_inlined(text: &str) -> Option<Status> {
    let mut reader = Reader::default();
    let mut lines = text.lines();
    // From the first field of a status on; what stands before is prose.
    let first = lines.by_ref().find(|l| starts_status(l))?;
    reader.line(first);
    for line in lines {
        let field = fields::split(line.trim_start().as_bytes()).map(|(name, _)| name);
        let ends = field.is_some_and(|n| {
            ["received", "return-path", "from", "mime-version", "subject"]
                .iter()
                .any(|end| n.eq_ignore_ascii_case(end))
        });
        if ends && reader.has_recipient() {
            break;
        }
        reader.line(line);
    }
    let status = reader.done();
    let told = status.recipients.iter().any(|r| r.last.is_some() || r.original.is_some())
        && status.recipients.iter().any(|r| r.action.is_some() || r.status.is_some());
    told.then_some(status)
}

fn starts_status(line: &str) -> bool {
    let line = line.trim_start();
    fields::split(line.as_bytes()).is_some_and(|(name, _)| {
        let exact = known(&letters(name)).map(|(_, field)| field);
        matches!(exact, Some(Field::Final | Field::Original | Field::ReportingMta | Field::Action))
    })
}

#[derive(Default)]
struct Reader {
    status: Status,
    current: Recipient,
    /// Which fields the current recipient has.
    seen: Vec<Field>,
    after_blank: bool,
    last: Option<Field>,
    /// Whether names that are nearly right count.
    near: bool,
}

impl Reader {
    fn has_recipient(&self) -> bool {
        !self.status.recipients.is_empty() || !self.seen.is_empty()
    }

    fn line(&mut self, line: &str) {
        if line.trim().is_empty() {
            self.after_blank = true;
            return;
        }
        let folded = line.starts_with([' ', '\t']);
        let field = fields::split(line.trim_start().as_bytes()).and_then(|(name, value)| {
            let letters = letters(name);
            let (exact, field) =
                known(&letters).or_else(|| self.near.then(|| nearly(&letters)).flatten())?;
            Some((exact, field, std::str::from_utf8(value).unwrap_or_default()))
        });
        // A folded line that looks like a field is one: some servers indent the whole status.
        match field {
            Some((exact, field, value)) => {
                self.status.repaired |= !exact;
                self.field(field, value.trim());
            }
            None if !self.after_blank || folded => self.continuation(line),
            None => self.last = None,
        }
        self.after_blank = false;
    }

    fn field(&mut self, field: Field, value: &str) {
        let of_recipient = !matches!(
            field,
            Field::ReportingMta | Field::EnvelopeId | Field::MessageId | Field::Ignored
        );
        if of_recipient {
            let names = |f: &Field| matches!(f, Field::Final | Field::Original | Field::Actual);
            let named = self.seen.iter().any(names);
            // The next recipient begins where a field comes again, or after a blank line once this one has a name.
            let repeats =
                self.seen.contains(&field) && !matches!(field, Field::Diagnostic | Field::Category);
            if repeats || (self.after_blank && named && (names(&field) || field == Field::Action)) {
                self.close();
            }
            self.seen.push(field);
        }
        self.last = Some(field);
        let r = &mut self.current;
        match field {
            Field::Final => r.last = some(value, MAX_VALUE),
            Field::Original => r.original = r.original.take().or_else(|| some(value, MAX_VALUE)),
            Field::Actual => r.actual = some(value, MAX_VALUE),
            Field::Action => r.action = action(value),
            Field::Status => {
                r.status = status_of(value);
                r.comment = comment_of(value);
            }
            Field::Diagnostic => {
                if !r.diagnostic.is_empty() {
                    r.diagnostic.push(' ');
                }
                r.diagnostic.push_str(without_type(value));
                truncate(&mut r.diagnostic, MAX_DIAGNOSTIC);
            }
            Field::RemoteMta => r.remote_mta = some(address::split_type(value).1.trim(), MAX_VALUE),
            Field::Category => r.category = some(value, MAX_VALUE),
            Field::ReportingMta => {
                self.status.reporting_mta = some(address::split_type(value).1.trim(), MAX_VALUE);
            }
            Field::EnvelopeId => self.status.envelope_id = some(value, MAX_VALUE),
            Field::MessageId => {
                self.status.message_id = some(value.trim_matches(['<', '>']), MAX_VALUE);
            }
            Field::Ignored => {}
        }
    }

    fn continuation(&mut self, line: &str) {
        let more = line.trim();
        if self.last == Some(Field::Diagnostic) && self.current.diagnostic.len() < MAX_DIAGNOSTIC {
            self.current.diagnostic.push(' ');
            self.current.diagnostic.push_str(more);
            truncate(&mut self.current.diagnostic, MAX_DIAGNOSTIC);
        } else if let (Some(Field::Final), None) = (self.last, self.current.last.as_ref()) {
            self.current.last = some(more, MAX_VALUE);
        } else if let (Some(Field::Status), None) = (self.last, self.current.status.as_ref()) {
            self.current.status = status_of(more);
        }
    }

    fn close(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        let done = std::mem::take(&mut self.current);
        if seen.is_empty() {
            return;
        }
        if self.status.recipients.len() >= MAX_REPORTS {
            self.status.cut = true;
            return;
        }
        self.status.recipients.push(done);
    }

    fn done(mut self) -> Status {
        self.close();
        // Fields that a blank line tore off belong to the recipient before them.
        let mut whole: Vec<Recipient> = Vec::new();
        for one in std::mem::take(&mut self.status.recipients) {
            let nameless = one.last.is_none() && one.original.is_none() && one.actual.is_none();
            match whole.last_mut() {
                Some(before) if nameless => {
                    before.action = before.action.or(one.action);
                    before.status = before.status.take().or(one.status);
                    if before.diagnostic.is_empty() {
                        before.diagnostic = one.diagnostic;
                    }
                    before.remote_mta = before.remote_mta.take().or(one.remote_mta);
                }
                _ => whole.push(one),
            }
        }
        self.status.recipients = whole;
        self.status
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn known(letters: &str) -> Option<(bool, Field)> {
    NAMES.iter().find(|(name, _)| *name == letters).map(|(_, field)| (true, *field))
}

/// A name that is one or two letters away from one of the longer names.
fn nearly(letters: &str) -> Option<(bool, Field)> {
    if !(6..=30).contains(&letters.len()) || letters.starts_with('x') {
        return None;
    }
    NAMES
        .iter()
        .find(|(name, _)| {
            let allowed = if name.len() >= 10 { 2 } else { usize::from(name.len() >= 6) };
            name.len().abs_diff(letters.len()) <= allowed
                && allowed > 0
                && distance(name.as_bytes(), letters.as_bytes()) <= allowed
        })
        .map(|(_, field)| (false, *field))
}

/// Edits between two short names.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn action(value: &str) -> Option<Action> {
    let word: String = letters(value.split([' ', '(', ';', ',']).next().unwrap_or_default());
    match word.as_str() {
        "failed" | "failure" | "fail" | "failled" | "undeliverable" | "undelivered" | "bounced"
        | "rejected" | "expired" | "error" => Some(Action::Failed),
        "delayed" | "delay" | "deferred" | "transient" | "retry" => Some(Action::Delayed),
        "delivered" | "deliverable" | "delivery" | "success" => Some(Action::Delivered),
        "relayed" | "relay" => Some(Action::Relayed),
        "expanded" => Some(Action::Expanded),
        _ => None,
    }
}

/// The first `c.s.d` of a status field; RFC 3463 section 2 allows three digits in each of the last two.
fn status_of(value: &str) -> Option<String> {
    value
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter_map(postroad_model::EnhancedStatus::parse)
        .map(|s| s.to_string())
        .next()
}

fn comment_of(value: &str) -> String {
    let words = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
    let mut words = words.trim_matches(['(', ')', ' ']).to_owned();
    truncate(&mut words, 200);
    words
}

/// A diagnostic without `smtp;` in front of it.
fn without_type(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest))
            if kind.len() <= 24
                && !kind.trim().is_empty()
                && kind
                    .trim()
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_. ".contains(&b))
                && !kind.trim().starts_with(|c: char| c.is_ascii_digit())
                && kind.split_whitespace().count() <= 1 =>
        {
            rest.trim()
        }
        _ => value.trim(),
    }
}

fn some(value: &str, most: usize) -> Option<String> {
    let mut value = value.trim().to_owned();
    truncate(&mut value, most);
    (!value.is_empty()).then_some(value)
}

/// Cuts a text at a character's border.
pub(crate) fn truncate(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Final recipient, action, status and diagnostic of each.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, Option<Action>, &str, &str)]) {
        let status = parse(text);
        let found: Vec<(&str, Option<Action>, &str, &str)> = status
            .recipients
            .iter()
            .map(|r| {
                let last = r.last.as_deref().or(r.original.as_deref()).unwrap_or("");
                (last, r.action, r.status.as_deref().unwrap_or(""), r.diagnostic.as_str())
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    const FAILED: Option<Action> = Some(Action::Failed);

    #[test]
    fn recipients_are_told_apart() {
        check(
            "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n  such user\n\nFinal-Recipient: rfc822; c@d\nAction: delayed\nStatus: 4.4.7\n",
            &[
                ("rfc822; a@b", FAILED, "5.1.1", "550 5.1.1 no such user"),
                ("rfc822; c@d", Some(Action::Delayed), "4.4.7", ""),
            ],
        );
        check(
            "Action: failed\nFinal-Recipient: rfc822; a@b\nStatus: 5.0.0 (no)\n\nAction: failed\nFinal-Recipient: rfc822; c@d\nStatus: 5.0.0\n",
            &[("rfc822; a@b", FAILED, "5.0.0", ""), ("rfc822; c@d", FAILED, "5.0.0", "")],
        );
    }

    #[test]
    fn misspelt_and_torn_fields_are_read() {
        check(
            "Final-Recipent : rfc822; a@b\n\nAction : failed\n\nStatus: 5.1.1\nDiagnostic-Code: 550 x\n",
            &[("rfc822; a@b", FAILED, "5.1.1", "550 x")],
        );
        check(
            "Original-Recipient: <a@b>\nAction: failed\nDiagnostic-Code: smtp; 550 <a@b>... User not exist\n",
            &[("<a@b>", FAILED, "", "550 <a@b>... User not exist")],
        );
        check(
            "Final-Recipient: rfc822; a@b\nFinal-Recipient: rfc822; c@d\nAction: failed\n",
            &[("rfc822; a@b", None, "", ""), ("rfc822; c@d", FAILED, "", "")],
        );
        assert!(parse("Final-Recepient: rfc822; a@b\n").repaired);
    }

    #[test]
    fn a_status_in_prose_is_found_and_prose_is_not() {
        let text = "An error occurred.\n\nReporting-MTA: dsn; x\n\nAction: failed\nFinal-Recipient: rfc822; a@b.example\nDiagnostic-Code: smtp; 554 no\nStatus: 5.0.0\n\nSubject: x\nAction: delayed\n";
        let status = parse_inlined(text).unwrap();
        assert_eq!(status.recipients.len(), 1);
        assert_eq!(status.recipients[0].action, FAILED);
        assert!(parse_inlined("Action: movie\nStatus: great\n").is_none());
        assert!(parse_inlined("nothing here").is_none());
    }
}
