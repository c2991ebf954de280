//! Small helpers for JSON that others wrote: texts that may be numbers, times in every form, bounds.

use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use postroad_model::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

const MAX_DIAGNOSTIC: usize = 2_000;
const MAX_WORD: usize = 998;
const MAX_ID: usize = 200;

/// Header, metadata and variable names under which a provider may hand our reference back.
const REFERENCE: &[&str] =
    &["x-postroad-ref", "postroad-ref", "postroad_ref", "X-Postroad-Ref", "X-Postroad-REF"];

/// A text, also from a number.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|t| !t.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text under a key.
pub(super) fn get(value: &Value, key: &str) -> Option<String> {
    text(&value[key])
}

/// The text under a key, or nothing.
pub(super) fn get_or(value: &Value, key: &str) -> String {
    get(value, key).unwrap_or_default()
}

/// The elements of a list, or the one thing that is no list.
pub(super) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        Value::Null => &[],
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(value)
        }
    }
}

/// A time: RFC 3339, or Unix seconds with or without a fraction, as number or text.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => seconds(number.as_f64()?),
        Value::String(text) => {
            Timestamp::parse_rfc3339(text).or_else(|| seconds(text.trim().parse().ok()?))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn seconds(seconds: f64) -> Option<Timestamp> {
    // From 2001 to 2286; milliseconds look like years far beyond.
    let ms = if seconds > 1e11 { seconds } else { seconds * 1000.0 };
    (1e12..1e13).contains(&ms).then_some(Timestamp(ms as i64))
}

/// A reply code as number or text, 4xx or 5xx.
pub(super) fn code(value: &Value) -> Option<u16> {
    text(value)?.trim().parse().ok().filter(|code| (400..600).contains(code))
}

/// The enhanced status that a text quotes.
pub(super) fn status(text: &str) -> Option<String> {
    postroad_bounce::codes_in(text).1.map(|status| status.to_string())
}

/// The reply code that a text quotes.
pub(super) fn code_in(text: &str) -> Option<u16> {
    postroad_bounce::codes_in(text).0
}

/// Whether a provider's words say that the address stands on a list of its own, rather than that this one message was
/// not to its liking.
pub(super) fn is_listed(words: &str) -> bool {
    const LISTS: [&str; 10] = [
        "suppress",
        "bounced address",
        "previously bounced",
        "unsubscribed address",
        "previously unsubscribed",
        "spam reporting address",
        "previously marked",
        "marked as inactive",
        "blocklisted",
        "blacklisted contact",
    ];
    let words = words.trim().to_lowercase();
    // SendGrid's one word for an address that it found to be none before.
    words == "invalid" || LISTS.iter().any(|list| words.contains(list))
}

/// A message that a provider did not send: to an address on its lists, or for a reason that is ours or passes.
pub(super) fn not_sent(words: String) -> ProviderWhat {
    if is_listed(&words) {
        return ProviderWhat::Suppressed { diagnostic: words };
    }
    ProviderWhat::Bounce {
        status: status(&words),
        code: code_in(&words),
        diagnostic: words,
        permanence: Permanence::Transient,
    }
}

/// Our reference among the keys of an object.
pub(super) fn reference(value: &Value) -> Option<String> {
    REFERENCE.iter().find_map(|key| get(value, key))
}

/// Our reference among headers told as `[{"name": …, "value": …}]` or `[[name, value]]`.
pub(super) fn reference_in_headers(headers: &Value) -> Option<String> {
    items(headers).iter().find_map(|header| {
        let (name, value) = match header {
            Value::Array(pair) => (pair.first()?, pair.get(1)?),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => (&header["name"], &header["value"]),
        };
        let name = name.as_str()?;
        name.eq_ignore_ascii_case("X-Postroad-Ref").then(|| text(value)).flatten()
    })
}

/// One id out of several parts.
pub(super) fn id(parts: &[&str]) -> String {
    parts.join("/")
}

/// An id of an event whose provider gives none: a digest of it.
pub(super) fn digest(event: &Value) -> String {
    let hash = Sha256::digest(event.to_string());
    data_encoding::HEXLOWER.encode(&hash[..16])
}

/// Brings every text of an event within its bound.
pub(super) fn bound(event: &mut ProviderEvent) {
    for word in [&mut event.recipient, &mut event.message_id, &mut event.postroad_ref] {
        if word.as_ref().is_some_and(|w| w.len() > MAX_WORD) {
            *word = None;
        }
    }
    if event.provider_id.len() > MAX_ID {
        let hash = Sha256::digest(&event.provider_id);
        event.provider_id = data_encoding::HEXLOWER.encode(&hash);
    }
    match &mut event.what {
        ProviderWhat::Bounce { diagnostic, status, .. } => {
            cut(diagnostic);
            if status.as_ref().is_some_and(|s| s.len() > 11) {
                *status = None;
            }
        }
        ProviderWhat::Deferred { diagnostic } | ProviderWhat::Suppressed { diagnostic } => {
            cut(diagnostic);
        }
        ProviderWhat::Complaint { kind } => {
            if kind.as_ref().is_some_and(|k| k.len() > 64) {
                *kind = None;
            }
        }
        ProviderWhat::Delivered
        | ProviderWhat::Unsubscribed
        | ProviderWhat::Opened
        | ProviderWhat::Clicked => {}
    }
}

/// One line without control characters, within the bound.
fn cut(text: &mut String) {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DIAGNOSTIC).collect();
    *text = line.trim().to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_makes_an_address_suppressed() {
        let check = |words: &str, listed: bool| {
            let suppressed = matches!(not_sent(words.into()), ProviderWhat::Suppressed { .. });
            assert_eq!(suppressed, listed, "{words}");
        };
        check("Bounced Address", true);
        check("Unsubscribed Address", true);
        check("Spam Reporting Address", true);
        check("Invalid", true);
        check("recipient address suppressed due to customer policy", true);
        check("550 5.7.1 recipient address was suppressed due to system policy", true);
        check("Invalid SMTPAPI header", false);
        check("Spam Content (if spam checker app is enabled)", false);
        check("Recipient List over Package Quota", false);
        check("553 5.6.2 No MIME parts", false);
        check("Substitution value for FIRST is missing", false);
        check("Exceed Sending Limit (daily)", false);
        check("", false);
    }
}
