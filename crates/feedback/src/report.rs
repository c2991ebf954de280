//! One report in the form in which it is recorded, whether a mail brought it or a webhook.
//!
//! Pure: what kind of event it is and what it proves about its row. A notice of delay or relaying proves that the relay had
//! taken the message, an automatic answer that it arrived. Reports about authentication are for the domain's owner and never
//! the contact's (RFC 6591).

use postroad_bounce::{Action, Confidence, FeedbackType, Finding, Report};
use postroad_model::feedback::Evidence;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{EmailAddress, Timestamp};
use postroad_store::{EventKind, Strength};
use serde_json::{Value, json};

/// Most other names of a recipient that are tried.
const MAX_ALIASES: usize = 5;

/// A report, whoever brought it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub recipient: Option<EmailAddress>,
    /// Other names of the same recipient: what it was called before a server rewrote it.
    pub aliases: Vec<EmailAddress>,
    pub what: What,
    pub kind: BounceKind,
    pub reason: Reason,
    pub code: Option<u16>,
    pub status: Option<String>,
    pub diagnostic: String,
    /// When it happened, where a provider told.
    pub at: Option<Timestamp>,
    /// Nobody could say what it means: a person should look.
    pub undecided: bool,
    /// For the record and `explain`.
    pub data: Value,
}

/// What a report is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// An event of its row.
    Event(EventKind, Evidence),
    /// The person wants to leave.
    OptOut,
    /// About nobody's delivery.
    Note,
}

impl Told {
    /// The part of the key that tells two reports about one copy apart.
    ///
    /// A bounce that says something else, or is better proven, is another one: a dead address must not hide behind
    /// yesterday's full mailbox, nor what a token proves behind what anybody could have written.
    pub(crate) fn key(&self, strength: Strength) -> String {
        match self.what {
            What::Event(kind @ EventKind::Bounce, _) => {
                let proven = match strength {
                    Strength::Strong => "",
                    Strength::Weak => ".weak",
                };
                format!("{}.{}{proven}", kind.as_str(), self.kind.as_str())
            }
            What::Event(kind, _) => kind.as_str().to_owned(),
            What::OptOut => "opt_out".to_owned(),
            What::Note => "note".to_owned(),
        }
    }

    /// True for what is tallied, in reports and metrics.
    pub(crate) fn counts(&self) -> bool {
        matches!(
            self.what,
            What::Event(EventKind::Bounce | EventKind::Complaint | EventKind::AutoReply, _)
        )
    }
}

/// What a mail's report is.
pub(crate) fn told(report: &Report, findings: &[Finding]) -> Told {
    let recipient = report.recipient.as_deref().and_then(|a| EmailAddress::parse(a).ok());
    let aliases = report.aliases.iter().filter_map(|a| EmailAddress::parse(a).ok());
    let what = what(report, findings);
    let is_bounce = matches!(what, What::Event(EventKind::Bounce, _));
    let reason = match what {
        What::Event(EventKind::Complaint, _) => Reason::Complaint,
        What::Event(_, _) | What::OptOut | What::Note => report.reason,
    };
    Told {
        recipient,
        aliases: aliases.take(MAX_ALIASES).collect(),
        what,
        kind: if reason == Reason::Complaint { BounceKind::Complaint } else { report.kind },
        reason,
        code: report.code,
        status: report.status.clone(),
        diagnostic: report.diagnostic.clone(),
        at: None,
        undecided: is_bounce
            && (report.reason == Reason::Unknown || report.confidence == Confidence::Low),
        data: json!({
            "recipient": report.recipient,
            "action": report.action.map(Action::as_str),
            "status": report.status,
            "code": report.code,
            "diagnostic": report.diagnostic,
            "reporting_mta": report.reporting_mta,
            "remote_mta": report.remote_mta,
            "feedback": report.feedback.map(FeedbackType::as_str),
            "confidence": report.confidence.as_str(),
            "rule": report.rule,
            "person_gone": findings.contains(&Finding::PersonGone).then_some(true),
        }),
    }
}

/// What a feedback report is, by mail or by a webhook.
pub(crate) fn of_feedback(feedback: FeedbackType) -> What {
    match feedback {
        FeedbackType::Abuse | FeedbackType::Fraud | FeedbackType::Virus | FeedbackType::Other => {
            What::Event(EventKind::Complaint, Evidence::Arrived)
        }
        FeedbackType::OptOut => What::OptOut,
        FeedbackType::NotSpam => What::Event(EventKind::NotSpam, Evidence::Arrived),
        FeedbackType::AuthFailure => What::Note,
    }
}

fn what(report: &Report, findings: &[Finding]) -> What {
    if let Some(feedback) = report.feedback {
        return of_feedback(feedback);
    }
    if report.reason == Reason::OptOut {
        return What::OptOut;
    }
    if report.reason == Reason::AuthReport {
        return What::Note;
    }
    if report.reason == Reason::Quota && findings.contains(&Finding::SendingLimit) {
        return What::Event(EventKind::Quota, Evidence::Quota);
    }
    if report.kind == BounceKind::AutoReply {
        return What::Event(EventKind::AutoReply, Evidence::Arrived);
    }
    match report.action {
        Some(Action::Delivered) => What::Event(EventKind::Delivered, Evidence::Arrived),
        Some(Action::Relayed | Action::Expanded) => {
            What::Event(EventKind::Delivered, Evidence::Taken)
        }
        Some(Action::Delayed) => What::Event(EventKind::Delayed, Evidence::Taken),
        Some(Action::Failed) | None if report.reason == Reason::Delivered => {
            What::Event(EventKind::Delivered, Evidence::Arrived)
        }
        Some(Action::Failed) | None => What::Event(EventKind::Bounce, Evidence::Returned),
    }
}
