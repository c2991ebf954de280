//! From the bytes of a mail to a `Reading`: who it speaks of, and what happened there.
//!
//! `feedback` calls it for every mail that comes in, `postroad bounce classify` for files. It follows RFC 3464 section
//! 2.3 for the fields of a recipient. It never fails and never panics; what it cannot read yields no report.

use crate::reading::{Action, Confidence, MAX_REPORTS, Reading, Report};
use postroad_model::verdict::{BounceKind, Reason};

/// Most bytes that are looked at.
const MAX_BYTES: usize = 1 << 20;

/// What this mail says about recipients; nothing for ordinary mail.
#[must_use]
pub fn read(mail: &[u8]) -> Reading {
    let text = String::from_utf8_lossy(&mail[..mail.len().min(MAX_BYTES)]);
    let mut reading = Reading::default();
    let mut current: Option<Report> = None;
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("final-recipient") {
            reading.reports.extend(current.take());
            let address = value.rsplit(';').next().unwrap_or(value).trim();
            current = Some(empty(address));
        }
        let Some(report) = current.as_mut() else { continue };
        match name.to_ascii_lowercase().as_str() {
            "action" if value.eq_ignore_ascii_case("failed") => {
                report.action = Some(Action::Failed);
            }
            "status" => {
                report.status = Some(value.to_owned());
                if value == "5.1.1" {
                    (report.kind, report.reason) = (BounceKind::Hard, Reason::BadMailbox);
                }
            }
            "diagnostic-code" => value.clone_into(&mut report.diagnostic),
            _ => {}
        }
    }
    reading.reports.extend(current);
    reading.reports.truncate(MAX_REPORTS);
    reading
}

fn empty(address: &str) -> Report {
    Report {
        recipient: Some(address.to_owned()),
        aliases: Vec::new(),
        action: None,
        status: None,
        code: None,
        diagnostic: String::new(),
        reporting_mta: None,
        remote_mta: None,
        kind: BounceKind::Soft,
        reason: Reason::Unknown,
        feedback: None,
        confidence: Confidence::Low,
        rule: "status".to_owned(),
        steps: Vec::new(),
    }
}
