//! Amazon's notices that arrive as mail: JSON in the text, bare or in an SNS envelope.
//!
//! `read` calls it for texts that begin with a brace. The fields are those of SES event and notification publishing. What
//! always holds: text of another shape yields nothing, the input is bounded by `mime`, nesting by the JSON reader. It does
//! not verify signatures: mail has none of SNS's, so what it says is believed as far as any bounce is.

use crate::reading::{Action, FeedbackType, MAX_REPORTS};
use serde_json::Value;

/// One recipient of a notice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    pub recipient: String,
    pub action: Option<Action>,
    pub status: Option<String>,
    pub diagnostic: String,
    pub feedback: Option<FeedbackType>,
    /// SES did not try, since it knows the address as dead.
    pub suppressed: bool,
}

/// A notice, and the ids of the mail that it is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    pub recipients: Vec<Notice>,
    pub message_ids: Vec<String>,
    pub headers: Vec<(String, String)>,
    pub reporting_mta: Option<String>,
}

/// Reads a text; `None` where it is no such notice.
pub(crate) fn read(text: &str) -> Option<Notices> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let value = first_value(text).or_else(|| first_value(&text.replace(['\r', '\n'], "")))?;
    let inner = match value.get("Message") {
        Some(Value::String(message)) => first_value(message)?,
        Some(object @ Value::Object(_)) => object.clone(),
        Some(_) => return None,
        None => value,
    };
    let kind = text_of(&inner, "notificationType").or_else(|| text_of(&inner, "eventType"))?;
    let mail = inner.get("mail")?;
    let mut notices = Notices {
        message_ids: ["messageId"].iter().filter_map(|n| text_of(mail, n)).collect(),
        headers: headers(mail),
        ..Notices::default()
    };
    match kind.as_str() {
        "Bounce" => bounce(inner.get("bounce")?, &mut notices),
        "Complaint" => complaint(inner.get("complaint")?, &mut notices),
        "Delivery" => delivery(inner.get("delivery")?, &mut notices),
        "DeliveryDelay" => delay(inner.get("deliveryDelay")?, &mut notices),
        _ => return None,
    }
    Some(notices)
}

fn first_value(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
}

fn text_of(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().take(MAX_REPORTS)
}

fn headers(mail: &Value) -> Vec<(String, String)> {
    list(mail, "headers")
        .filter_map(|h| Some((text_of(h, "name")?.to_ascii_lowercase(), text_of(h, "value")?)))
        .collect()
}

fn bounce(bounce: &Value, notices: &mut Notices) {
    let kind = text_of(bounce, "bounceType").unwrap_or_default();
    let detail = text_of(bounce, "bounceSubType").unwrap_or_default();
    notices.reporting_mta =
        text_of(bounce, "reportingMTA").map(|m| m.replace("dsn;", "").trim().to_owned());
    for one in list(bounce, "bouncedRecipients") {
        let Some(recipient) = text_of(one, "emailAddress") else { continue };
        let mut diagnostic = text_of(one, "diagnosticCode").unwrap_or_default();
        if diagnostic.is_empty() {
            diagnostic = words_of(&kind, &detail).to_owned();
        }
        notices.recipients.push(Notice {
            recipient,
            action: Some(match text_of(one, "action").as_deref() {
                Some("delayed") => Action::Delayed,
                Some(_) | None => Action::Failed,
            }),
            status: text_of(one, "status"),
            diagnostic: diagnostic.trim_start_matches("smtp;").trim().to_owned(),
            feedback: None,
            suppressed: detail.contains("Suppress"),
        });
    }
}

/// What SES means by its own types, where the far side's words are missing.
fn words_of(kind: &str, detail: &str) -> &'static str {
    match (kind, detail) {
        (_, "NoEmail") => "no such mailbox",
        (_, "MailboxFull") => "mailbox full",
        (_, "MessageTooLarge") => "message too large",
        (_, "ContentRejected") => "content rejected",
        (_, "AttachmentRejected") => "attachment not allowed",
        (_, "Suppressed" | "OnAccountSuppressionList") => "address is on the suppression list",
        ("Permanent", "General") => "permanent failure",
        _ => "",
    }
}

fn complaint(complaint: &Value, notices: &mut Notices) {
    let feedback = text_of(complaint, "complaintFeedbackType")
        .and_then(|word| FeedbackType::parse(&word))
        .unwrap_or(FeedbackType::Abuse);
    for one in list(complaint, "complainedRecipients") {
        let Some(recipient) = text_of(one, "emailAddress") else { continue };
        notices.recipients.push(Notice {
            recipient,
            feedback: Some(feedback),
            ..Notice::default()
        });
    }
}

fn delivery(delivery: &Value, notices: &mut Notices) {
    notices.reporting_mta = text_of(delivery, "reportingMTA");
    let diagnostic = text_of(delivery, "smtpResponse").unwrap_or_default();
    let status = diagnostic
        .split_whitespace()
        .find_map(postroad_model::EnhancedStatus::parse)
        .map(|s| s.to_string());
    for one in list(delivery, "recipients").filter_map(Value::as_str) {
        notices.recipients.push(Notice {
            recipient: one.to_owned(),
            action: Some(Action::Delivered),
            status: status.clone(),
            diagnostic: diagnostic.clone(),
            ..Notice::default()
        });
    }
}

fn delay(delay: &Value, notices: &mut Notices) {
    for one in list(delay, "delayedRecipients") {
        let Some(recipient) = text_of(one, "emailAddress") else { continue };
        notices.recipients.push(Notice {
            recipient,
            action: Some(Action::Delayed),
            status: text_of(one, "status"),
            diagnostic: text_of(one, "diagnosticCode")
                .unwrap_or_default()
                .trim_start_matches("smtp;")
                .trim()
                .to_owned(),
            ..Notice::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read_bare_and_in_their_envelope() {
        let bare = r#"{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"a@b.example","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no"}]},"mail":{"messageId":"m-1"}} trailing"#;
        let enveloped = serde_json::json!({"Type": "Notification", "Message": bare}).to_string();
        for text in [bare, &enveloped] {
            let found = read(text).unwrap();
            assert_eq!(found.recipients[0].diagnostic, "550 5.1.1 no");
            assert_eq!(found.message_ids, ["m-1"]);
        }
        let complaint = r#"{"eventType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"a@b.example"}],"complaintFeedbackType":"abuse"},"mail":{}}"#;
        assert_eq!(read(complaint).unwrap().recipients[0].feedback, Some(FeedbackType::Abuse));
        for other in ["{}", "{\"Message\": 1}", "hello", "{\"notificationType\":\"Bounce\"}"] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}
