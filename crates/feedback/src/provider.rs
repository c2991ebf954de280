//! Events that a provider's webhook told, as reports.
//!
//! The words of the far side go through the same classifier as those of bounces (RFC 3464 section 2.3.6); where they say nothing,
//! the provider's own judgement stands. Signatures were checked by the way in.

use crate::incoming::{Permanence, ProviderEvent, ProviderWhat, Source};
use crate::report::{self, Told, What};
use postroad_bounce::{FeedbackType, Refused, classify_diagnostic};
use postroad_model::EmailAddress;
use postroad_model::feedback::Evidence;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_store::EventKind;
use serde_json::json;

/// What an event is.
pub(crate) fn told(event: &ProviderEvent, source: &Source) -> Told {
    let recipient = event.recipient.as_deref().and_then(|a| EmailAddress::parse(a).ok());
    let mut told = Told {
        what: What::Note,
        kind: BounceKind::Other,
        reason: Reason::Unknown,
        code: None,
        status: None,
        diagnostic: String::new(),
        at: event.at,
        undecided: false,
        data: json!({
            "recipient": event.recipient,
            "event": event.provider_id,
            "rule": format!("told by {source}"),
        }),
        aliases: Vec::new(),
        recipient,
    };
    let event_of = |kind, evidence| What::Event(kind, evidence);
    match &event.what {
        ProviderWhat::Bounce { status, code, diagnostic, permanence } => {
            told.what = event_of(EventKind::Bounce, Evidence::Returned);
            told.diagnostic = diagnostic.clone();
            (told.code, told.status) = (*code, status.clone());
            judge(&mut told, event.recipient.as_deref(), *permanence);
        }
        ProviderWhat::Complaint { kind } => {
            // A word that nobody registered is a complaint all the same: the provider calls the event one.
            let feedback = kind.as_deref().and_then(FeedbackType::parse);
            let feedback = feedback.unwrap_or(FeedbackType::Abuse);
            told.what = report::of_feedback(feedback);
            told.reason = feedback.reason();
            if told.reason == Reason::Complaint {
                told.kind = BounceKind::Complaint;
            }
            told.data["feedback"] = json!(kind);
        }
        ProviderWhat::Delivered => told.what = event_of(EventKind::Delivered, Evidence::Arrived),
        ProviderWhat::Opened => told.what = event_of(EventKind::Opened, Evidence::Arrived),
        ProviderWhat::Clicked => told.what = event_of(EventKind::Clicked, Evidence::Arrived),
        ProviderWhat::Deferred { diagnostic } => {
            told.what = event_of(EventKind::Delayed, Evidence::Taken);
            told.diagnostic = diagnostic.clone();
        }
        ProviderWhat::Suppressed { diagnostic } => {
            told.what = event_of(EventKind::Bounce, Evidence::Returned);
            (told.kind, told.reason) = (BounceKind::Hard, Reason::SuppressedUpstream);
            told.diagnostic = diagnostic.clone();
        }
        ProviderWhat::Unsubscribed => {
            told.what = What::OptOut;
            told.reason = Reason::OptOut;
        }
    }
    told.data["diagnostic"] = json!(told.diagnostic);
    told.data["status"] = json!(told.status);
    told.data["code"] = json!(told.code);
    told
}

/// Kind and reason of a bounce.
fn judge(told: &mut Told, recipient: Option<&str>, permanence: Permanence) {
    let said = classify_diagnostic(&Refused {
        recipient,
        status: told.status.as_deref(),
        code: told.code,
        diagnostic: &told.diagnostic,
    });
    (told.kind, told.reason) = (said.kind, said.reason);
    told.data["rule"] = json!(said.rule);
    told.data["confidence"] = json!(said.confidence.as_str());
    match permanence {
        // The words say nothing: a provider that gives an address up knows why.
        Permanence::Permanent if said.reason == Reason::Unknown => {
            (told.kind, told.reason) = (BounceKind::Hard, Reason::BadMailbox);
        }
        Permanence::Transient if said.kind == BounceKind::Hard => told.kind = BounceKind::Soft,
        Permanence::Permanent | Permanence::Transient | Permanence::Unsaid => {
            told.undecided = said.reason == Reason::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_complaint_counts_as_one() {
        let check = |word: Option<&str>, reason, what| {
            let event = ProviderEvent {
                recipient: Some("an@example.vn".into()),
                what: ProviderWhat::Complaint { kind: word.map(Into::into) },
                message_id: None,
                postroad_ref: None,
                provider_id: "1".into(),
                at: None,
            };
            let told = told(&event, &Source::Hook("ses".into()));
            assert_eq!((told.reason, told.what), (reason, what), "{word:?}");
            assert_eq!(told.kind == BounceKind::Complaint, reason == Reason::Complaint, "{word:?}");
        };
        let complaint = What::Event(EventKind::Complaint, Evidence::Arrived);
        for word in [None, Some("abuse"), Some("fraud"), Some("virus"), Some("other"), Some("??")] {
            check(word, Reason::Complaint, complaint);
        }
        let fine = What::Event(EventKind::NotSpam, Evidence::Arrived);
        check(Some("not-spam"), Reason::NotSpam, fine);
        check(Some("auth-failure"), Reason::AuthReport, What::Note);
        check(Some("opt-out"), Reason::OptOut, What::OptOut);
    }

    #[test]
    fn the_far_sides_words_count_before_the_providers_judgement() {
        let check = |status: Option<&str>, words: &str, permanence, expected| {
            let what = ProviderWhat::Bounce {
                status: status.map(Into::into),
                code: None,
                diagnostic: words.into(),
                permanence,
            };
            let event = ProviderEvent {
                recipient: Some("an@example.vn".into()),
                what,
                message_id: None,
                postroad_ref: None,
                provider_id: "1".into(),
                at: None,
            };
            let told = told(&event, &Source::Hook("ses".into()));
            assert_eq!((told.kind, told.reason), expected, "{words}");
        };
        let hard = (BounceKind::Hard, Reason::BadMailbox);
        check(Some("5.1.1"), "smtp; 550 5.1.1 user unknown", Permanence::Permanent, hard);
        check(None, "", Permanence::Permanent, hard);
        let full = (BounceKind::Soft, Reason::MailboxFull);
        check(Some("5.2.2"), "mailbox full", Permanence::Permanent, full);
        // In any language, as a bounce's words.
        check(None, "El usuario no existe", Permanence::Unsaid, hard);
        check(
            None,
            "550 5.1.1 user unknown",
            Permanence::Transient,
            (BounceKind::Soft, Reason::BadMailbox),
        );
    }
}
