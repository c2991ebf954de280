//! SparkPost: a list of events, each in an envelope named after its class. It does not sign.

use super::json::{code, digest, get, get_or, items, not_sent, reference, status, time};
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use serde_json::Value;

const ENVELOPES: &[&str] = &["message_event", "unsubscribe_event", "track_event", "gen_event"];

pub(super) fn events(body: &Value) -> Vec<ProviderEvent> {
    let of = |item: &Value| {
        let system = &item["msys"];
        ENVELOPES.iter().find_map(|name| event(&system[*name]))
    };
    items(body).iter().filter_map(of).collect()
}

fn event(event: &Value) -> Option<ProviderEvent> {
    let words = get(event, "raw_reason").or_else(|| get(event, "reason")).unwrap_or_default();
    let what = match event["type"].as_str()? {
        "bounce" | "out_of_band" => ProviderWhat::Bounce {
            status: status(&words),
            code: code(&event["error_code"]),
            diagnostic: words,
            permanence: permanence(&get_or(event, "bounce_class")),
        },
        "policy_rejection" | "generation_rejection" | "generation_failure" => not_sent(words),
        "delay" => ProviderWhat::Deferred { diagnostic: words },
        "delivery" => ProviderWhat::Delivered,
        "spam_complaint" => ProviderWhat::Complaint { kind: get(event, "fbtype") },
        "list_unsubscribe" | "link_unsubscribe" => ProviderWhat::Unsubscribed,
        "open" | "initial_open" => ProviderWhat::Opened,
        "click" => ProviderWhat::Clicked,
        _ => return None,
    };
    Some(ProviderEvent {
        recipient: get(event, "rcpt_to").or_else(|| get(event, "raw_rcpt_to")),
        what,
        message_id: get(event, "message_id"),
        postroad_ref: reference(&event["rcpt_meta"]),
        provider_id: get(event, "event_id").unwrap_or_else(|| digest(event)),
        at: time(&event["timestamp"]),
    })
}

/// SparkPost's bounce classes: 10, 30 and 90 are hard.
fn permanence(class: &str) -> Permanence {
    match class {
        "10" | "30" | "90" => Permanence::Permanent,
        "20" | "21" | "22" | "23" | "24" | "25" | "40" | "50" | "51" | "52" | "53" | "54"
        | "60" | "70" | "100" => Permanence::Transient,
        _ => Permanence::Unsaid,
    }
}
