//! Our own form, for whatever else sends events: `{"events": [{"id", "type", "recipient", …}]}`, HMAC of time and body.
//!
//! Described for people in docs/guide/bounces-in.md. The header is `X-Postroad-Signature: t=UNIX,v1=HEX`, where HEX is
//! the HMAC-SHA-256 of `UNIX.BODY`. What is not understood is an error here, since somebody is just writing the sender.

use super::json::{code, get, get_or, items, status, time};
use super::verify::{hmac_is, is_fresh};
use super::{Refusal, Request};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use postroad_model::{Secret, Timestamp};
use serde_json::Value;

pub(super) fn verify(request: &Request, secret: &Secret, now: Timestamp) -> Result<(), Refusal> {
    let header = request.header("x-postroad-signature").unwrap_or_default();
    let part = |name: &str| header.split(',').find_map(|p| p.trim().strip_prefix(name));
    let (Some(at), Some(tag)) = (part("t="), part("v1=")) else {
        return Err(Refusal::Forged("no X-Postroad-Signature: t=UNIX,v1=HEX"));
    };
    let tag = data_encoding::HEXLOWER_PERMISSIVE
        .decode(tag.as_bytes())
        .map_err(|_| Refusal::Forged("v1 is no hexadecimal text"))?;
    if !hmac_is(secret.expose().as_bytes(), &[at.as_bytes(), b".", &request.body], &tag) {
        return Err(Refusal::Forged("v1 is not the HMAC-SHA-256 of UNIX.BODY with our secret"));
    }
    if is_fresh(at, now) { Ok(()) } else { Err(Refusal::Forged("t is more than 5 minutes away")) }
}

pub(super) fn events(body: &Value) -> Result<Vec<ProviderEvent>, String> {
    let list = &body["events"];
    if !list.is_array() {
        return Err("the body must be {\"events\": [...]}".into());
    }
    items(list)
        .iter()
        .enumerate()
        .map(|(n, e)| event(e).map_err(|w| format!("event {n}: {w}")))
        .collect()
}

fn event(event: &Value) -> Result<ProviderEvent, String> {
    let provider_id = get(event, "id").ok_or("it has no id, by which people find it again")?;
    let diagnostic = get_or(event, "diagnostic");
    let what = match event["type"].as_str() {
        Some("bounce") => ProviderWhat::Bounce {
            status: get(event, "status").or_else(|| status(&diagnostic)),
            code: code(&event["code"]),
            diagnostic,
            permanence: match event["permanent"].as_bool() {
                Some(true) => Permanence::Permanent,
                Some(false) => Permanence::Transient,
                None => Permanence::Unsaid,
            },
        },
        Some("complaint") => ProviderWhat::Complaint { kind: get(event, "kind") },
        Some("delivered") => ProviderWhat::Delivered,
        Some("deferred") => ProviderWhat::Deferred { diagnostic },
        Some("suppressed") => ProviderWhat::Suppressed { diagnostic },
        Some("unsubscribed") => ProviderWhat::Unsubscribed,
        Some("opened") => ProviderWhat::Opened,
        Some("clicked") => ProviderWhat::Clicked,
        Some(_) | None => {
            return Err("type must be one of bounce, complaint, delivered, deferred, suppressed, \
                        unsubscribed, opened, clicked"
                .into());
        }
    };
    let found = ["recipient", "message_id", "ref"].map(|key| get(event, key));
    let [recipient, message_id, postroad_ref] = found;
    if recipient.is_none() && message_id.is_none() && postroad_ref.is_none() {
        return Err("it has neither recipient nor message_id nor ref".into());
    }
    Ok(ProviderEvent {
        recipient,
        what,
        message_id,
        postroad_ref,
        provider_id,
        at: time(&event["at"]),
    })
}
