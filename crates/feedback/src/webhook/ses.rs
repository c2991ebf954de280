//! Amazon SES: notifications (`notificationType`) and published events (`eventType`), in our words.
//!
//! Behind `sns`, which verified them. A transient bounce of a full mailbox and a content refusal look alike but for
//! `bounceSubType`, so that goes into the diagnostic where the far side said nothing.

use super::json::{code_in, get, get_or, id, items, reference_in_headers, status, time};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use serde_json::Value;

/// Whom it is about, what happened, and when.
type Told<'a> = (Option<String>, ProviderWhat, &'a Value);

/// The events of one message; what is no SES event yields nothing.
pub(super) fn events(message_id: &str, text: &str) -> Vec<ProviderEvent> {
    let Ok(event) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let kind = get(&event, "notificationType").or_else(|| get(&event, "eventType"));
    let mail = &event["mail"];
    let make = |(recipient, what, at): Told<'_>| {
        let address = recipient.clone().unwrap_or_default();
        ProviderEvent {
            // For the record; what was told before is known by its delivery, copy and meaning.
            provider_id: id(&["ses", &key(&event, message_id), &address]),
            recipient,
            what,
            message_id: get(&mail["commonHeaders"], "messageId").or_else(|| get(mail, "messageId")),
            postroad_ref: reference_in_headers(&mail["headers"]),
            at: time(at).or_else(|| time(&mail["timestamp"])),
        }
    };
    let told = match kind.as_deref() {
        Some("Bounce") => {
            let bounce = &event["bounce"];
            let one = |r| (get(r, "emailAddress"), bounced(bounce, r), &bounce["timestamp"]);
            items(&bounce["bouncedRecipients"]).iter().map(one).collect()
        }
        Some("Complaint") => complaints(&event["complaint"]),
        Some("Delivery") => {
            let delivery = &event["delivery"];
            let one = |r| (text_of(r), ProviderWhat::Delivered, &delivery["timestamp"]);
            items(&delivery["recipients"]).iter().map(one).collect()
        }
        Some("DeliveryDelay") => delays(&event["deliveryDelay"]),
        Some(kind) => about_all(kind, &event),
        None => Vec::new(),
    };
    told.into_iter().map(make).collect()
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn complaints(complaint: &Value) -> Vec<Told<'_>> {
    let listed = get(complaint, "complaintSubType").is_some_and(|s| s.contains("Suppression"));
    let one = |r| {
        let what = if listed {
            let diagnostic = "on the account's suppression list for a complaint".into();
            ProviderWhat::Suppressed { diagnostic }
        } else {
            ProviderWhat::Complaint { kind: get(complaint, "complaintFeedbackType") }
        };
        (get(r, "emailAddress"), what, &complaint["timestamp"])
    };
    items(&complaint["complainedRecipients"]).iter().map(one).collect()
}

fn delays(delay: &Value) -> Vec<Told<'_>> {
    let one = |r| {
        let diagnostic = get(r, "diagnosticCode").unwrap_or_else(|| get_or(delay, "delayType"));
        (get(r, "emailAddress"), ProviderWhat::Deferred { diagnostic }, &delay["timestamp"])
    };
    items(&delay["delayedRecipients"]).iter().map(one).collect()
}

/// What names no recipients of its own: it is about all that the message went to, which is one with us.
fn about_all<'a>(kind: &str, event: &'a Value) -> Vec<Told<'a>> {
    let (what, at) = match kind {
        "Reject" => {
            let diagnostic =
                format!("SES refused the message: {}", get_or(&event["reject"], "reason"));
            let (status, permanence) = (Some("5.7.0".to_owned()), Permanence::Unsaid);
            let what = ProviderWhat::Bounce { status, code: None, diagnostic, permanence };
            (what, &event["mail"]["timestamp"])
        }
        "Open" => (ProviderWhat::Opened, &event["open"]["timestamp"]),
        "Click" => (ProviderWhat::Clicked, &event["click"]["timestamp"]),
        "Subscription" => {
            let subscription = &event["subscription"];
            if subscription["newTopicPreferences"]["unsubscribeAll"].as_bool() != Some(true) {
                return Vec::new();
            }
            (ProviderWhat::Unsubscribed, &subscription["timestamp"])
        }
        // Send, Rendering Failure, and what may come.
        _ => return Vec::new(),
    };
    let all = items(&event["mail"]["destination"]).iter().filter_map(text_of);
    all.map(|recipient| (Some(recipient), what.clone(), at)).collect()
}

fn key(event: &Value, message_id: &str) -> String {
    ["bounce", "complaint"]
        .iter()
        .find_map(|kind| get(&event[*kind], "feedbackId"))
        .unwrap_or_else(|| message_id.to_owned())
}

fn bounced(bounce: &Value, recipient: &Value) -> ProviderWhat {
    let (kind, sub) = (get_or(bounce, "bounceType"), get_or(bounce, "bounceSubType"));
    let told = get(recipient, "diagnosticCode");
    if sub.contains("Suppress") {
        let diagnostic = told.unwrap_or_else(|| format!("on SES's suppression list ({sub})"));
        return ProviderWhat::Suppressed { diagnostic };
    }
    let permanence = match kind.as_str() {
        "Permanent" => Permanence::Permanent,
        "Transient" => Permanence::Transient,
        _ => Permanence::Unsaid,
    };
    let words = match sub.as_str() {
        "MailboxFull" => "mailbox full",
        "MessageTooLarge" => "message too large",
        "ContentRejected" => "content rejected as spam",
        "AttachmentRejected" => "attachment rejected",
        "NoEmail" => "no such user",
        _ => "",
    };
    let diagnostic = told.unwrap_or_else(|| format!("SES: {kind} {sub} {words}"));
    ProviderWhat::Bounce {
        status: get(recipient, "status").or_else(|| status(&diagnostic)),
        code: code_in(&diagnostic),
        diagnostic,
        permanence,
    }
}
