//! Brevo (Sendinblue): one event or a list of them. It does not sign.

use super::json::{code_in, digest, get, get_or, items, reference, status, time};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use serde_json::Value;

pub(super) fn events(body: &Value) -> Vec<ProviderEvent> {
    items(body).iter().filter_map(event).collect()
}

fn event(event: &Value) -> Option<ProviderEvent> {
    let reason = get_or(event, "reason");
    let bounce = |permanence| ProviderWhat::Bounce {
        status: status(&reason),
        code: code_in(&reason),
        diagnostic: reason.clone(),
        permanence,
    };
    let what = match event["event"].as_str()? {
        "hard_bounce" | "hardBounce" | "invalid_email" | "invalid" => bounce(Permanence::Permanent),
        "soft_bounce" | "softBounce" => bounce(Permanence::Transient),
        "error" => bounce(Permanence::Unsaid),
        "blocked" => ProviderWhat::Suppressed { diagnostic: reason.clone() },
        "deferred" => ProviderWhat::Deferred { diagnostic: reason.clone() },
        "delivered" => ProviderWhat::Delivered,
        "spam" | "complaint" => ProviderWhat::Complaint { kind: None },
        "unsubscribed" | "unsubscribe" => ProviderWhat::Unsubscribed,
        "opened" | "unique_opened" | "uniqueOpened" => ProviderWhat::Opened,
        "click" | "clicked" => ProviderWhat::Clicked,
        _ => return None,
    };
    let custom = get(event, "X-Mailin-custom").and_then(|c| serde_json::from_str::<Value>(&c).ok());
    Some(ProviderEvent {
        recipient: get(event, "email"),
        what,
        message_id: get(event, "message-id"),
        postroad_ref: custom.and_then(|c| reference(&c)).or_else(|| reference(event)),
        // `id` is the webhook's own, not the event's.
        provider_id: digest(event),
        at: time(&event["ts_event"]).or_else(|| time(&event["ts"])),
    })
}
