//! Bodies that no provider would send, through each provider's reader: whatever is JSON gives events or nothing.

use super::{brevo, generic, mailgun, mailjet, postmark, resend, sendgrid, ses, sns, sparkpost};
use postroad_testkit::fuzz;
use serde_json::Value;

const CORPUS: [&str; 9] = [
    r#"{"event":"hard_bounce","email":"an@example.org","id":7,"ts_event":1700000000,"reason":"550 5.1.1 no","message-id":"<a@b>"}"#,
    r#"[{"event":"bounce","email":"an@example.org","type":"blocked","status":"5.1.1","reason":"no","sg_event_id":"x","timestamp":1}]"#,
    r#"{"event-data":{"event":"failed","severity":"permanent","recipient":"an@example.org","id":"x","timestamp":1.5,"delivery-status":{"code":550,"message":"no"},"message":{"headers":{"message-id":"a@b"}}}}"#,
    r#"{"RecordType":"Bounce","Type":"HardBounce","TypeCode":1,"Email":"an@example.org","ID":1,"Details":"no","BouncedAt":"2026-01-01T00:00:00Z","MessageID":"x"}"#,
    r#"[{"msys":{"message_event":{"type":"bounce","bounce_class":"10","rcpt_to":"an@example.org","event_id":"1","raw_reason":"550","timestamp":"1"}}}]"#,
    r#"{"type":"email.bounced","created_at":"2026-01-01T00:00:00Z","data":{"to":["an@example.org"],"email_id":"x","bounce":{"type":"Permanent","message":"no"}}}"#,
    r#"{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General","timestamp":"2026-01-01T00:00:00.000Z","bouncedRecipients":[{"emailAddress":"an@example.org","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1"}]},"mail":{"messageId":"x","headers":[{"name":"Message-ID","value":"<a@b>"}]}}"#,
    r#"{"notificationType":"Complaint","complaint":{"complaintFeedbackType":"abuse","complainedRecipients":[{"emailAddress":"an@example.org"}]},"mail":{"messageId":"x"}}"#,
    r#"{"events":[{"id":"1","kind":"bounce","recipient":"an@example.org","status":"5.1.1","diagnostic":"no","at":"2026-01-01T00:00:00Z"}]}"#,
];

const WORDS: [&str; 16] = [
    "null",
    "[]",
    "{}",
    "-1",
    "1e400",
    "9223372036854775808",
    "\"\\u0000\"",
    "\"spam\"",
    "\"complaint\"",
    "\"delivered\"",
    "\"deferred\"",
    "\"unsubscribe\"",
    "\"timestamp\":",
    "\"recipient\":",
    "https://sns.eu-west-1.amazonaws.com/",
    "\"é\"",
];

#[test]
fn webhooks() {
    let corpus = CORPUS.map(|text| text.as_bytes().to_vec());
    fuzz::run(&corpus, &WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        let _ = sns::amazon(&text);
        let _ = ses::events("id", &text);
        let Ok(body) = serde_json::from_slice::<Value>(input) else { return };
        let lists = [
            brevo::events(&body),
            mailgun::events(&body),
            mailjet::events(&body),
            postmark::events(&body),
            resend::events("id", &body),
            sendgrid::events(&body),
            sparkpost::events(&body),
            generic::events(&body).unwrap_or_default(),
        ];
        for event in lists.iter().flatten() {
            assert!(event.provider_id.len() <= 4_096, "an identifier is bounded");
        }
    });
}
