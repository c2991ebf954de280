//! Resend: one event a body, signed as svix does it (id, time and body; several signatures while a key changes).

use super::json::{code_in, get, get_or, id, items, reference_in_headers, status, time};
use super::verify::{hmac_is, is_fresh, svix_key};
use super::{Refusal, Request};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use base64::Engine;
use postroad_model::{Secret, Timestamp};
use serde_json::Value;

/// Verifies a request and gives the message's id.
pub(super) fn verify(
    request: &Request,
    secret: &Secret,
    now: Timestamp,
) -> Result<String, Refusal> {
    let header = |name: &str| {
        request.header(name).or_else(|| request.header(&name.replace("svix", "webhook")))
    };
    let found = (header("svix-id"), header("svix-timestamp"), header("svix-signature"));
    let (Some(message), Some(at), Some(signatures)) = found else {
        return Err(Refusal::Forged("no signature"));
    };
    let key =
        svix_key(secret).ok_or(Refusal::Forged("the secret of this hook is no whsec_ text"))?;
    let parts: [&[u8]; 5] = [message.as_bytes(), b".", at.as_bytes(), b".", &request.body];
    let right = signatures.split_whitespace().take(16).any(|signature| {
        let tag = signature.strip_prefix("v1,");
        let tag = tag.and_then(|t| base64::engine::general_purpose::STANDARD.decode(t).ok());
        tag.is_some_and(|tag| hmac_is(&key, &parts, &tag))
    });
    if !right {
        return Err(Refusal::Forged("the signature is not Resend's, or of another secret"));
    }
    if is_fresh(at, now) {
        Ok(message.to_owned())
    } else {
        Err(Refusal::Forged("the signature is too old"))
    }
}

pub(super) fn events(message: &str, body: &Value) -> Vec<ProviderEvent> {
    let data = &body["data"];
    let Some(what) = what(body["type"].as_str().unwrap_or_default(), data) else {
        return Vec::new();
    };
    let one = |recipient: &Value| {
        let recipient = recipient.as_str().map(str::to_owned);
        ProviderEvent {
            provider_id: id(&["svix", message, recipient.as_deref().unwrap_or_default()]),
            recipient,
            what: what.clone(),
            message_id: get(data, "message_id").or_else(|| get(data, "email_id")),
            postroad_ref: reference_in_headers(&data["headers"]),
            at: time(&body["created_at"]),
        }
    };
    items(&data["to"]).iter().map(one).collect()
}

fn what(kind: &str, data: &Value) -> Option<ProviderWhat> {
    let bounce = &data["bounce"];
    Some(match kind {
        "email.bounced" => {
            let sub = get_or(bounce, "subType");
            let told = items(&bounce["diagnosticCode"]).first().and_then(|d| d.as_str());
            let message = told.map_or_else(|| get_or(bounce, "message"), str::to_owned);
            if sub.contains("Suppress") {
                return Some(ProviderWhat::Suppressed { diagnostic: message });
            }
            ProviderWhat::Bounce {
                status: status(&message),
                code: code_in(&message),
                permanence: match get_or(bounce, "type").as_str() {
                    "Permanent" => Permanence::Permanent,
                    "Transient" => Permanence::Transient,
                    _ => Permanence::Unsaid,
                },
                diagnostic: message,
            }
        }
        "email.failed" => ProviderWhat::Bounce {
            status: None,
            code: None,
            diagnostic: format!("Resend could not send: {}", get_or(&data["failed"], "reason")),
            permanence: Permanence::Transient,
        },
        "email.suppressed" => {
            ProviderWhat::Suppressed { diagnostic: get_or(&data["suppressed"], "message") }
        }
        "email.complained" => ProviderWhat::Complaint { kind: None },
        "email.delivered" => ProviderWhat::Delivered,
        "email.delivery_delayed" => ProviderWhat::Deferred { diagnostic: String::new() },
        "email.opened" => ProviderWhat::Opened,
        "email.clicked" => ProviderWhat::Clicked,
        _ => return None,
    })
}
