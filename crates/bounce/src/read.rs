//! From the bytes of a mail to a `Reading`: who it speaks of, and what happened there.
//!
//! `feedback` calls it for every mail that comes in, `postroad bounce classify` for files. It takes the mail apart
//! (`mime`), asks in turn whether it is a feedback report (RFC 5965), a notice in JSON, a bounce (RFC 3464, RFC 6533 or
//! prose) or an automatic answer (RFC 3834), and has each recipient's fate understood (`understand`). What always holds:
//! it never fails and never panics, and its time and memory are bounded by `mime`'s limits. It does not know our own
//! deliveries.

use crate::autoreply;
use crate::dsn::{self, Status};
use crate::feedback;
use crate::fields::{self, Fields};
use crate::gate;
use crate::mime::{Kind, Mail};
use crate::notification::{self, Notices};
use crate::prose::{self, Prose};
use crate::reading::{
    Finding, MAX_DIAGNOSTIC, MAX_REFERENCES, MAX_REPORTS, MAX_VALUE, Reading, References, Report,
};
use crate::recipients::{self, Sources};
use crate::references;
use crate::understand::{self, Evidence};
use crate::words::kind_of;
use postroad_model::verdict::Reason;

/// How many forwarded mails are opened to find a report in them.
const MAX_FORWARDS: usize = 2;

/// What this mail says about recipients; nothing for ordinary mail.
#[must_use]
pub fn read(mail: &[u8]) -> Reading {
    let mut reading = read_at(mail, 0);
    for report in &mut reading.reports {
        bounded(report);
    }
    reading
}

/// What holds for every report, whoever made it.
fn bounded(report: &mut Report) {
    report.diagnostic = references::cleaned_to(&report.diagnostic, MAX_DIAGNOSTIC);
    for text in [&mut report.reporting_mta, &mut report.remote_mta].into_iter().flatten() {
        *text = references::cleaned(text);
    }
    let is_clean = |a: &String| a.len() <= MAX_VALUE && !a.chars().any(char::is_control);
    report.recipient = report.recipient.take().filter(is_clean);
    report.aliases.retain(is_clean);
}

fn read_at(bytes: &[u8], depth: usize) -> Reading {
    let mail = Mail::parse(bytes);
    let material = Material::of(&mail);
    let mut findings = mail.findings.clone();
    let mut reports = feedback::read(&mail, &material.returned);
    let mut references = material.references(&mail);
    if reports.is_empty() {
        reports = material.notices.as_ref().map_or(Vec::new(), |n| of_notices(n, &mut references));
    }
    if reports.is_empty() {
        let signs = gate::weigh(
            &mail,
            material.has_status(),
            &material.prose.text,
            material.has_returned(&mail),
        );
        if signs.is_bounce() {
            reports = bounce(&mail, &material, &mut findings);
        } else if let Some((report, more)) = autoreply::read(&mail) {
            reports.push(report);
            findings.extend(more);
        } else if depth < MAX_FORWARDS
            && let Some(inner) = forwarded(&mail, depth)
        {
            return inner;
        }
    }
    if reports.len() > MAX_REPORTS {
        reports.truncate(MAX_REPORTS);
        findings.push(Finding::TooManyReports);
    }
    findings.sort_unstable();
    findings.dedup();
    Reading { reports, references, findings }
}

/// What was taken out of the parts.
struct Material {
    status: Status,
    inlined: bool,
    prose: Prose,
    /// Header of the returned message.
    returned: Fields,
    notices: Option<Notices>,
}

impl Material {
    fn of(mail: &Mail<'_>) -> Self {
        let text = report_text(mail);
        let notices = notification::read(&text);
        let mut own = sent_to(mail);
        for value in mail.fields.all("from").chain(mail.fields.all("return-path")) {
            own.extend(crate::address::find_all(value).into_iter().map(|f| f.address));
        }
        let prose = prose::read(&text, &own);
        let mut status = Status::default();
        let mut kind =
            if mail.parts(Kind::Status).next().is_some() { Kind::Status } else { Kind::Data };
        if gate::is_refusal(mail, &text) {
            kind = Kind::Disposition;
        }
        for part in mail.parts(kind) {
            let more = dsn::parse(&part.text);
            status.recipients.extend(more.recipients);
            status.reporting_mta = status.reporting_mta.or(more.reporting_mta);
            status.envelope_id = status.envelope_id.or(more.envelope_id);
            status.message_id = status.message_id.or(more.message_id);
            status.repaired |= more.repaired;
            status.cut |= more.cut;
        }
        let mut inlined = kind == Kind::Data && !status.recipients.is_empty();
        if status.recipients.is_empty() {
            // Also in what follows a marker: some put the fields after the prose that announces the message.
            if let Some(found) = dsn::parse_inlined(&text) {
                status = found;
                inlined = true;
            }
        }
        let returned = returned_header(mail, &prose);
        Self { status, inlined, prose, returned, notices }
    }

    fn has_status(&self) -> bool {
        !self.status.recipients.is_empty()
    }

    fn has_returned(&self, mail: &Mail<'_>) -> bool {
        !self.prose.returned.is_empty() || mail.parts(Kind::Returned).next().is_some()
    }

    fn references(&self, mail: &Mail<'_>) -> References {
        let envelope_ids: Vec<String> = self.status.envelope_id.iter().cloned().collect();
        let mut found = references::collect(mail, &self.returned, &envelope_ids);
        if let Some(id) = &self.status.message_id {
            let id = references::cleaned(id.trim_matches(['<', '>']));
            if !found.message_ids.contains(&id) && found.message_ids.len() < MAX_REFERENCES {
                found.message_ids.push(id);
            }
        }
        found
    }
}

/// The text for people: plain text, and HTML where there is no plain text that says anything.
fn report_text(mail: &Mail<'_>) -> String {
    let join = |kind: Kind| {
        let texts: Vec<&str> = mail.parts(kind).map(|p| p.text.as_str()).collect();
        texts.join("\n\n")
    };
    let plain = join(Kind::Text);
    let letters = plain.chars().filter(|c| c.is_alphabetic()).take(40).count();
    if letters >= 40 && (plain.contains('@') || letters_of_html(mail) == 0) {
        return plain;
    }
    format!("{plain}\n\n{}", join(Kind::Html))
}

fn letters_of_html(mail: &Mail<'_>) -> usize {
    mail.parts(Kind::Html)
        .map(|p| p.text.chars().filter(|c| c.is_alphabetic()).take(40).count())
        .sum()
}

/// The header of the returned message: its own part, what stands in the text, or a text part that is nothing else.
fn returned_header(mail: &Mail<'_>, prose: &Prose) -> Fields {
    for part in mail.parts(Kind::Returned) {
        let start = part.bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
        let (header, _) = fields::parse(&part.bytes[start..]);
        if header.has("from") || header.has("to") || header.has("message-id") {
            return header;
        }
    }
    // After the marker, from the first field on.
    let text = prose.returned.as_str();
    let mut offset = 0;
    for line in text.split_inclusive('\n').take(60) {
        if !line.starts_with([' ', '\t', '-'])
            && fields::split(line.trim_end().as_bytes()).is_some()
        {
            return fields::parse(&text.as_bytes()[offset..]).0;
        }
        offset += line.len();
    }
    Fields::default()
}

fn bounce(mail: &Mail<'_>, material: &Material, findings: &mut Vec<Finding>) -> Vec<Report> {
    if material.inlined {
        findings.push(Finding::StatusOutOfPlace);
    }
    if material.status.repaired {
        findings.push(Finding::StatusRepaired);
    }
    if material.status.cut {
        findings.push(Finding::TooManyReports);
    }
    let sources = Sources {
        status: &material.status,
        prose: &material.prose,
        failed: mail.fields.all("x-failed-recipients").collect(),
        returned: &material.returned,
    };
    let subject = mail.fields.decoded("subject").unwrap_or_default();
    let fates = recipients::find(&sources, &subject, findings);
    let own = sent_to(mail);
    let mut reports = Vec::with_capacity(fates.len());
    let alone = fates.len() == 1;
    for fate in fates {
        let evidence = Evidence {
            recipient: fate.recipient.as_deref(),
            action: fate.told.action,
            status: fate.told.status.as_deref(),
            comment: &fate.told.comment,
            diagnostic: &fate.told.diagnostic,
            remote_mta: fate.told.remote_mta.as_deref(),
            category: fate.told.category.as_deref(),
            human: &material.prose.text,
            alone,
            subject: &subject,
            own: &own,
        };
        let concluded = understand::conclude(&evidence);
        if concluded.conflict {
            findings.push(Finding::Conflict);
        }
        if concluded.reason == Reason::Quota {
            findings.push(Finding::SendingLimit);
        }
        let mut steps = fate.steps;
        steps.extend(concluded.steps);
        reports.push(Report {
            recipient: fate.recipient,
            aliases: fate.aliases,
            action: fate.told.action,
            status: concluded.status,
            code: concluded.code,
            diagnostic: fate.told.diagnostic,
            reporting_mta: material.status.reporting_mta.clone(),
            remote_mta: fate.told.remote_mta,
            kind: concluded.kind,
            reason: concluded.reason,
            feedback: None,
            confidence: concluded.confidence,
            rule: concluded.rule,
            steps,
        });
    }
    reports
}

/// The addresses that a report was sent to.
fn sent_to(mail: &Mail<'_>) -> Vec<String> {
    let names = ["to", "delivered-to", "x-original-to", "envelope-to", "x-apparently-to"];
    let values = names.iter().flat_map(|name| mail.fields.all(name));
    values.flat_map(crate::address::find_all).map(|f| f.address).collect()
}

fn of_notices(notices: &Notices, references: &mut References) -> Vec<Report> {
    for id in &notices.message_ids {
        references.message_ids.insert(0, references::cleaned(id));
    }
    for (name, value) in &notices.headers {
        if name == "x-postroad-ref" {
            references.returned_refs.push(references::cleaned(value));
        }
    }
    references.message_ids.truncate(MAX_REFERENCES);
    references.returned_refs.truncate(MAX_REFERENCES);
    notices.recipients.iter().map(|notice| of_notice(notice, notices)).collect()
}

fn of_notice(notice: &notification::Notice, all: &Notices) -> Report {
    let recipient = crate::address::of_field(&notice.recipient);
    let mut concluded = understand::conclude(&Evidence {
        recipient: recipient.as_deref(),
        action: notice.action,
        status: notice.status.as_deref(),
        diagnostic: &notice.diagnostic,
        ..Evidence::default()
    });
    let mut rule = concluded.rule;
    if let Some(feedback) = notice.feedback {
        concluded.reason = feedback.reason();
        rule = format!("feedback-{}", feedback.as_str());
    } else if notice.suppressed {
        concluded.reason = Reason::SuppressedUpstream;
        "ses-suppressed".clone_into(&mut rule);
    }
    let told = notice.feedback.is_some() || notice.suppressed;
    Report {
        recipient,
        aliases: Vec::new(),
        action: notice.action,
        status: if notice.feedback.is_some() { None } else { concluded.status },
        code: concluded.code,
        diagnostic: notice.diagnostic.clone(),
        reporting_mta: all.reporting_mta.clone(),
        remote_mta: None,
        kind: if told { kind_of(concluded.reason) } else { concluded.kind },
        reason: concluded.reason,
        feedback: notice.feedback,
        confidence: concluded.confidence,
        rule,
        steps: concluded.steps,
    }
}

/// A report that somebody forwarded as an attachment; only a report with status fields or a feedback report is taken
/// from there, since anything else is talk about a bounce.
fn forwarded(mail: &Mail<'_>, depth: usize) -> Option<Reading> {
    mail.parts(Kind::Returned).take(3).find_map(|part| {
        let start = part.bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
        let inner_bytes = &part.bytes[start..];
        let inner = Mail::parse(inner_bytes);
        let is_report = inner.parts(Kind::Status).next().is_some()
            || inner.parts(Kind::Feedback).next().is_some()
            || inner.fields.has("x-failed-recipients");
        if !is_report {
            return None;
        }
        let mut reading = read_at(inner_bytes, depth + 1);
        if reading.reports.is_empty() {
            return None;
        }
        reading.findings.push(Finding::Forwarded);
        Some(reading)
    })
}
