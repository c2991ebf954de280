//! Events of SES through SNS: Amazon's signatures with certificates made here, and everybody else's.

use super::*;

const TOPIC: &str = "arn:aws:sns:eu-west-1:1:bounces";
const CERTIFICATE_URL: &str = "https://sns.eu-west-1.amazonaws.com/x.pem";

struct Sns {
    key: RsaKeyPair,
    pem: String,
}

impl Sns {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let names = vec!["sns.amazonaws.com".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let signer = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        Self { key: signer, pem: certificate.pem() }
    }

    fn envelope(&self, kind: &str, message: &str, more: &[(&str, &str)]) -> Value {
        let mut envelope = serde_json::json!({
            "Type": kind, "MessageId": "m-1", "TopicArn": TOPIC, "Message": message,
            "Timestamp": "2026-11-22T00:00:00.000Z", "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE_URL,
        });
        for (name, value) in more {
            envelope[*name] = Value::String((*value).to_owned());
        }
        let mut text = String::new();
        let names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token"];
        for name in names.into_iter().chain(["TopicArn", "Type"]) {
            if let Some(value) = envelope[name].as_str() {
                text.push_str(&format!("{name}\n{value}\n"));
            }
        }
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
        envelope["Signature"] = STANDARD.encode(signature).into();
        envelope
    }
}

/// Serves this certificate, and remembers what was asked for.
fn serving(pem: &str) -> (Fetch, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (pem, log) = (pem.as_bytes().to_vec(), Arc::clone(&asked));
    let fetch: Fetch = Arc::new(move |url| {
        log.lock().unwrap().push(url);
        let pem = pem.clone();
        Box::pin(async move { Ok(pem) })
    });
    (fetch, asked)
}

fn ses(event: &str, body: &str) -> String {
    format!(
        r#"{{"notificationType":"{event}","mail":{{"timestamp":"2026-11-22T00:00:00.000Z","messageId":"0102-x",
        "destination":["a@x.test"],"headers":[{{"name":"X-Postroad-Ref","value":"r3f"}}],
        "commonHeaders":{{"messageId":"<ours@x>"}}}},{body}}}"#
    )
}

#[tokio::test]
async fn ses_events_are_believed_when_amazon_signed_them_for_a_topic_of_ours() {
    let sns = Sns::new();
    let (fetch, asked) = serving(&sns.pem);
    let kind = HookKind::Ses { topics: vec![TOPIC.to_owned()] };
    let verifier = Verifier::new(fetch);
    let at = r#""timestamp":"2026-11-22T00:00:00.000Z""#;
    let bounce = |more: &str| {
        ses(
            "Bounce",
            &format!(
                r#""bounce":{{{at},"feedbackId":"f-1",{more},"bouncedRecipients":[{{"emailAddress":"a@x.test",
            "status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no such user"}}]}}"#
            ),
        )
    };
    let recipients = r#"[{"emailAddress":"a@x.test"}]"#;
    let table = [
        (bounce(r#""bounceType":"Permanent","bounceSubType":"General""#), "hard"),
        (bounce(r#""bounceType":"Transient","bounceSubType":"MailboxFull""#), "soft"),
        (
            bounce(r#""bounceType":"Permanent","bounceSubType":"OnAccountSuppressionList""#),
            "suppressed",
        ),
        (
            ses(
                "Complaint",
                &format!(r#""complaint":{{{at},"complainedRecipients":{recipients}}}"#),
            ),
            "complaint",
        ),
        (
            ses("Delivery", &format!(r#""delivery":{{{at},"recipients":["a@x.test"]}}"#)),
            "delivered",
        ),
        (
            ses(
                "DeliveryDelay",
                &format!(r#""deliveryDelay":{{{at},"delayedRecipients":{recipients}}}"#),
            ),
            "deferred",
        ),
        (ses("Open", &format!(r#""open":{{{at}}}"#)), "opened"),
        (ses("Reject", r#""reject":{"reason":"Bad content"}"#), "bounce"),
    ];
    for (message, what) in &table {
        let body = sns.envelope("Notification", message, &[]).to_string();
        let list = verifier.events(&kind, &request(&[], &body), NOW).await.unwrap();
        assert_eq!(list.len(), 1, "{message}");
        assert_eq!(gist(&list[0]), (Some("a@x.test"), *what, Some("r3f")), "{message}");
        assert_eq!(list[0].message_id.as_deref(), Some("<ours@x>"));
    }
    assert_eq!(*asked.lock().unwrap(), [CERTIFICATE_URL], "the certificate is kept");
    let (first, _) = &table[0];
    let list = ses::events("m-1", first);
    let ProviderWhat::Bounce { status, code, .. } = &list[0].what else { panic!("{list:?}") };
    assert_eq!((status.as_deref(), *code), (Some("5.1.1"), Some(550)));
    assert_eq!(list, ses::events("m-2", first), "another topic tells the same");
}

#[tokio::test]
async fn what_amazon_did_not_sign_for_us_is_refused() {
    let sns = Sns::new();
    let kind = HookKind::Ses { topics: vec![TOPIC.to_owned()] };
    let check = async |change: &[(&str, &str)], words: &str| {
        let (fetch, asked) = serving(&sns.pem);
        let mut envelope = sns.envelope("Notification", "{}", &[]);
        for (name, value) in change {
            envelope[*name] = Value::String((*value).to_owned());
        }
        let verifier = Verifier::new(fetch);
        let body = envelope.to_string();
        let refusal = verifier.events(&kind, &request(&[], &body), NOW).await.unwrap_err();
        assert!(refusal.to_string().contains(words), "{change:?}: {refusal}");
        let amazons = asked.lock().unwrap().iter().all(|url| sns::amazon(url).is_some());
        assert!(amazons, "{change:?}");
    };
    check(&[("Message", "{\"a\":1}")], "signature").await;
    check(&[("Signature", "AAAA")], "signature").await;
    check(&[("Signature", "?")], "signature").await;
    check(&[("TopicArn", "arn:aws:sns:eu-west-1:2:other")], "topic").await;
    check(&[("SigningCertURL", "https://evil.test/x.pem")], "Amazon").await;
    check(&[("SigningCertURL", "https://sns.eu-west-1.amazonaws.com/x")], "address").await;
    check(&[("SignatureVersion", "3")], "SignatureVersion").await;
    check(&[("SignatureVersion", "1")], "signature").await;
    check(&[("Type", "Other")], "Type").await;
}

#[tokio::test]
async fn a_subscription_is_confirmed_at_amazons_alone() {
    let sns = Sns::new();
    let kind = HookKind::Ses { topics: vec![TOPIC.to_owned()] };
    let good = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
    for (url, right) in [(good, true), ("https://evil.test/?Action=ConfirmSubscription", false)] {
        let (fetch, asked) = serving(&sns.pem);
        let more = [("SubscribeURL", url), ("Token", "t")];
        let envelope = sns.envelope("SubscriptionConfirmation", "You have chosen", &more);
        let request = request(&[], &envelope.to_string());
        let told = Verifier::new(fetch).events(&kind, &request, NOW).await;
        assert_eq!(told.is_ok(), right, "{url}");
        assert_eq!(asked.lock().unwrap().iter().any(|asked| asked == url), right, "{url}");
    }
}

#[tokio::test]
async fn the_older_signature_of_amazon_is_understood() {
    // Made once with `openssl dgst -sha1 -sign` and a key that was thrown away.
    let signature = include_str!("sns_v1.signature").trim();
    let certificate = include_str!("sns_v1.pem");
    let body = serde_json::json!({
        "Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC,
        "Message": "{\"notificationType\":\"Bounce\"}", "Timestamp": "2026-11-22T00:00:00.000Z",
        "SignatureVersion": "1", "SigningCertURL": CERTIFICATE_URL, "Signature": signature,
    });
    let kind = HookKind::Ses { topics: vec![TOPIC.to_owned()] };
    let verifier = Verifier::new(serving(certificate).0);
    let list = verifier.events(&kind, &request(&[], &body.to_string()), NOW).await.unwrap();
    assert_eq!(list, []);
}
