//! Mailgun: one event a body, with an HMAC of a time and a token beside it.
//!
//! The signature does not cover the event, so a token is good for one body only. Mailgun repeats what was not taken
//! for eight hours, with the time of the first try; so its times are believed that long.

use super::Refusal;
use super::json::{code, digest, get, get_or, reference, status, time};
use super::verify::hmac_is;
use crate::incoming::{Permanence, ProviderEvent, ProviderWhat};
use postroad_model::{Secret, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const TOLERANCE_MS: i64 = 9 * 3_600_000;
/// Tokens remembered; when there are more, the older half of the time is forgotten.
const TOKENS_MAX: usize = 100_000;

/// The tokens that were used, with the digest of what they came with and their time.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, ([u8; 32], i64)>>);

impl Tokens {
    pub(super) fn verify(
        &self,
        body: &Value,
        bytes: &[u8],
        key: &Secret,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let signature = &body["signature"];
        let (at, token) = (get_or(signature, "timestamp"), get_or(signature, "token"));
        let tag = data_encoding::HEXLOWER_PERMISSIVE
            .decode(get_or(signature, "signature").as_bytes())
            .map_err(|_| Refusal::Forged("the signature is no hexadecimal text"))?;
        let key = key.expose().as_bytes();
        if token.len() > 200 || !hmac_is(key, &[at.as_bytes(), token.as_bytes()], &tag) {
            return Err(Refusal::Forged("the signature is not Mailgun's, or of another key"));
        }
        let ms = at.parse::<i64>().ok().and_then(|s| s.checked_mul(1000));
        let Some(ms) =
            ms.filter(|ms| now.since_ms(Timestamp(*ms)).saturating_abs() <= TOLERANCE_MS)
        else {
            return Err(Refusal::Forged("the signature is too old"));
        };
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(&token).is_some_and(|(known, _)| *known != hash) {
            return Err(Refusal::Forged("the token came with another event before"));
        }
        if used.len() >= TOKENS_MAX {
            used.retain(|_, (_, at)| now.since_ms(Timestamp(*at)) <= TOLERANCE_MS / 2);
            if used.len() >= TOKENS_MAX {
                used.clear();
            }
        }
        used.insert(token, (hash, ms));
        Ok(())
    }
}

pub(super) fn events(body: &Value) -> Vec<ProviderEvent> {
    event(&body["event-data"]).into_iter().collect()
}

fn event(event: &Value) -> Option<ProviderEvent> {
    let delivery = &event["delivery-status"];
    let words = get(delivery, "message")
        .or_else(|| get(delivery, "description"))
        .or_else(|| get(&event["reject"], "reason"))
        .unwrap_or_default();
    let what = match event["event"].as_str()? {
        "failed" => {
            let reason = get_or(event, "reason");
            let lasting = get(event, "severity").is_none_or(|s| s != "temporary");
            if reason.starts_with("suppress") {
                let diagnostic = if words.is_empty() { reason } else { words };
                ProviderWhat::Suppressed { diagnostic }
            } else if lasting {
                ProviderWhat::Bounce {
                    status: get(delivery, "enhanced-code").or_else(|| status(&words)),
                    code: code(&delivery["code"]),
                    permanence: match get(delivery, "bounce-type").as_deref() {
                        Some("hard") => Permanence::Permanent,
                        Some("soft") => Permanence::Transient,
                        Some(_) | None if reason == "old" => Permanence::Transient,
                        Some(_) | None => Permanence::Unsaid,
                    },
                    diagnostic: if words.is_empty() { reason } else { words },
                }
            } else {
                ProviderWhat::Deferred { diagnostic: words }
            }
        }
        "rejected" => ProviderWhat::Bounce {
            status: Some("5.7.0".into()),
            code: None,
            diagnostic: format!("Mailgun refused the message: {words}"),
            permanence: Permanence::Unsaid,
        },
        "delivered" => ProviderWhat::Delivered,
        "complained" => ProviderWhat::Complaint { kind: None },
        "unsubscribed" => ProviderWhat::Unsubscribed,
        "opened" => ProviderWhat::Opened,
        "clicked" => ProviderWhat::Clicked,
        _ => return None,
    };
    let headers = &event["message"]["headers"];
    Some(ProviderEvent {
        recipient: get(event, "recipient"),
        what,
        message_id: get(headers, "message-id"),
        postroad_ref: reference(&event["user-variables"]).or_else(|| reference(headers)),
        provider_id: get(event, "id").unwrap_or_else(|| digest(event)),
        at: time(&event["timestamp"]),
    })
}
