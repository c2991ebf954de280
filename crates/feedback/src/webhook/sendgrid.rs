//! Twilio SendGrid: the signed event webhook, a list of events.

use super::json::{code_in, digest, get, get_or, items, not_sent, reference, status, time};
use super::verify::{PublicKey, is_fresh};
use super::{Refusal, Request};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use base64::Engine;
use postroad_model::Timestamp;
use serde_json::Value;

/// The time and the body are signed together.
pub(super) fn verify(request: &Request, key: &PublicKey, now: Timestamp) -> Result<(), Refusal> {
    let signature = request.header("x-twilio-email-event-webhook-signature");
    let time = request.header("x-twilio-email-event-webhook-timestamp");
    let (Some(signature), Some(time)) = (signature, time) else {
        return Err(Refusal::Forged(
            "no signature: switch on signed events in SendGrid's settings",
        ));
    };
    let signature = base64::engine::general_purpose::STANDARD
        .decode(signature.trim())
        .map_err(|_| Refusal::Forged("the signature is no base64"))?;
    let mut signed = time.as_bytes().to_vec();
    signed.extend_from_slice(&request.body);
    if !key.verifies(&signed, &signature) {
        return Err(Refusal::Forged("the signature is not SendGrid's, or of another key"));
    }
    if is_fresh(time, now) { Ok(()) } else { Err(Refusal::Forged("the signature is too old")) }
}

pub(super) fn events(body: &Value) -> Vec<ProviderEvent> {
    items(body).iter().filter_map(event).collect()
}

fn event(event: &Value) -> Option<ProviderEvent> {
    let words = get(event, "reason").or_else(|| get(event, "response")).unwrap_or_default();
    let what = match event["event"].as_str()? {
        "bounce" => {
            let blocked = get(event, "type").is_some_and(|t| t == "blocked");
            let class = get_or(event, "bounce_classification");
            let invalid = class == "Invalid Address";
            ProviderWhat::Bounce {
                status: get(event, "status").and_then(|s| status(&s)).or_else(|| status(&words)),
                code: code_in(&words),
                diagnostic: if words.is_empty() { class } else { words },
                permanence: match (blocked, invalid) {
                    (true, _) => Permanence::Transient,
                    (false, true) => Permanence::Permanent,
                    (false, false) => Permanence::Unsaid,
                },
            }
        }
        "dropped" => not_sent(words),
        "deferred" => ProviderWhat::Deferred { diagnostic: words },
        "delivered" => ProviderWhat::Delivered,
        "spamreport" => ProviderWhat::Complaint { kind: None },
        "unsubscribe" | "group_unsubscribe" => ProviderWhat::Unsubscribed,
        "open" => ProviderWhat::Opened,
        "click" => ProviderWhat::Clicked,
        _ => return None,
    };
    Some(ProviderEvent {
        recipient: get(event, "email"),
        what,
        message_id: get(event, "smtp-id").or_else(|| get(event, "sg_message_id")),
        postroad_ref: reference(event),
        provider_id: get(event, "sg_event_id").unwrap_or_else(|| digest(event)),
        at: time(&event["timestamp"]),
    })
}
