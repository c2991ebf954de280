//! Mailjet: one event or a list of them. It does not sign.

use super::json::{code_in, digest, get, get_or, items, reference, status, time};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use serde_json::Value;

pub(super) fn events(body: &Value) -> Vec<ProviderEvent> {
    items(body).iter().filter_map(event).collect()
}

fn event(event: &Value) -> Option<ProviderEvent> {
    let comment = get_or(event, "comment");
    let words = || match (get(event, "error"), comment.as_str()) {
        (Some(error), "") => error,
        (Some(error), comment) => format!("{comment} ({error})"),
        (None, comment) => comment.to_owned(),
    };
    let hard = event["hard_bounce"].as_bool();
    let what = match event["event"].as_str()? {
        "bounce" => ProviderWhat::Bounce {
            status: status(&comment),
            code: code_in(&comment),
            diagnostic: words(),
            permanence: match hard {
                Some(true) => Permanence::Permanent,
                Some(false) => Permanence::Transient,
                None => Permanence::Unsaid,
            },
        },
        // Its own lists: former bounces and the like ("preblocked"), or its judgement of the content.
        "blocked" => {
            let preblocked = get(event, "error").is_some_and(|e| e == "preblocked");
            if preblocked {
                ProviderWhat::Suppressed { diagnostic: words() }
            } else {
                let (status, code) = (status(&comment), code_in(&comment));
                let permanence = Permanence::Transient;
                ProviderWhat::Bounce { status, code, diagnostic: words(), permanence }
            }
        }
        "spam" => ProviderWhat::Complaint { kind: None },
        "unsub" => ProviderWhat::Unsubscribed,
        "sent" => ProviderWhat::Delivered,
        "open" => ProviderWhat::Opened,
        "click" => ProviderWhat::Clicked,
        _ => return None,
    };
    let custom = get(event, "CustomID").filter(|id| !id.is_empty());
    Some(ProviderEvent {
        recipient: get(event, "email"),
        what,
        message_id: get(event, "MessageID"),
        postroad_ref: custom.or_else(|| reference(event)),
        // It gives none of its own; what it repeats is the same to the last octet.
        provider_id: digest(event),
        at: time(&event["time"]),
    })
}
