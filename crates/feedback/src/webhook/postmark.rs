//! Postmark: one record a body. It does not sign; a login or token of ours is what we know it by.

use super::json::{code_in, digest, get, get_or, id, items, reference, status, time};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use serde_json::Value;

pub(super) fn events(body: &Value) -> Vec<ProviderEvent> {
    items(body).iter().filter_map(event).collect()
}

fn event(event: &Value) -> Option<ProviderEvent> {
    let (what, at) = match event["RecordType"].as_str()? {
        "Bounce" => (bounce(event)?, "BouncedAt"),
        "SpamComplaint" => (ProviderWhat::Complaint { kind: None }, "BouncedAt"),
        "Delivery" => (ProviderWhat::Delivered, "DeliveredAt"),
        "SubscriptionChange" => {
            let stops = event["SuppressSending"].as_bool() == Some(true);
            let reason = get_or(event, "SuppressionReason");
            let what = match reason.as_str() {
                // Told by records of their own.
                "HardBounce" | "SpamComplaint" => return None,
                _ if stops => ProviderWhat::Unsubscribed,
                _ => return None,
            };
            (what, "ChangedAt")
        }
        "Open" => (ProviderWhat::Opened, "ReceivedAt"),
        "Click" => (ProviderWhat::Clicked, "ReceivedAt"),
        _ => return None,
    };
    let recipient = get(event, "Email").or_else(|| get(event, "Recipient"));
    let provider_id = match get(event, "ID") {
        Some(number) => id(&["postmark", &number]),
        None => digest(event),
    };
    Some(ProviderEvent {
        recipient,
        what,
        message_id: get(event, "MessageID"),
        postroad_ref: reference(&event["Metadata"]),
        provider_id,
        at: time(&event[at]),
    })
}

/// The types of Postmark's bounce API.
fn bounce(event: &Value) -> Option<ProviderWhat> {
    let details = get(event, "Details").or_else(|| get(event, "Description")).unwrap_or_default();
    let permanence = match get_or(event, "Type").as_str() {
        "AutoResponder"
        | "ChallengeVerification"
        | "AddressChange"
        | "Subscribe"
        | "OpenRelayTest" => {
            return None;
        }
        "SpamComplaint" => return Some(ProviderWhat::Complaint { kind: None }),
        "Unsubscribe" => return Some(ProviderWhat::Unsubscribed),
        "ManuallyDeactivated" => return Some(ProviderWhat::Suppressed { diagnostic: details }),
        "HardBounce" | "BadEmailAddress" => Permanence::Permanent,
        "Transient"
        | "DnsError"
        | "SoftBounce"
        | "SpamNotification"
        | "VirusNotification"
        | "Blocked"
        | "DMARCPolicy"
        | "InboundError"
        | "TemplateRenderingFailed" => Permanence::Transient,
        _ => Permanence::Unsaid,
    };
    Some(ProviderWhat::Bounce {
        status: status(&details),
        code: code_in(&details),
        diagnostic: details,
        permanence,
    })
}
