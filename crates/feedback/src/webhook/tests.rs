//! What each provider sends, signed as it signs with keys made here, and what strangers send.
//!
//! Amazon's, whose signatures need certificates, have a file of their own.

use super::*;
use crate::incoming::{Permanence, ProviderWhat};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::sync::Mutex;

mod amazon;

const NOW: Timestamp = Timestamp(1_795_305_600_000);
const SECONDS: &str = "1795305600";

fn nothing() -> Fetch {
    Arc::new(|url| Box::pin(async move { Err(format!("{url} was asked for")) }))
}

fn request(headers: &[(&str, &str)], body: &str) -> Request {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Request { headers, query: String::new(), body: body.as_bytes().to_vec() }
}

async fn events(kind: &HookKind, request: &Request) -> Result<Vec<ProviderEvent>, Refusal> {
    Verifier::new(nothing()).events(kind, request, NOW).await
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Recipient, what happened, reference: what matters of an event.
fn gist(event: &ProviderEvent) -> (Option<&str>, &str, Option<&str>) {
    let what = match &event.what {
        ProviderWhat::Bounce { permanence: Permanence::Permanent, .. } => "hard",
        ProviderWhat::Bounce { permanence: Permanence::Transient, .. } => "soft",
        ProviderWhat::Bounce { permanence: Permanence::Unsaid, .. } => "bounce",
        ProviderWhat::Complaint { .. } => "complaint",
        ProviderWhat::Delivered => "delivered",
        ProviderWhat::Deferred { .. } => "deferred",
        ProviderWhat::Suppressed { .. } => "suppressed",
        ProviderWhat::Unsubscribed => "unsubscribed",
        ProviderWhat::Opened => "opened",
        ProviderWhat::Clicked => "clicked",
    };
    (event.recipient.as_deref(), what, event.postroad_ref.as_deref())
}

/// One event with one gist, and an id that is the same when it comes again.
async fn check(kind: &HookKind, body: &str, what: &str) -> ProviderEvent {
    let authorised = request(&[("authorization", "Bearer t0ken")], body);
    let list = events(kind, &authorised).await.unwrap();
    let [event] = &list[..] else { panic!("{body}: {list:?}") };
    assert_eq!(gist(event), (Some("a@x.test"), what, Some("r3f")), "{body}");
    assert_eq!(event.at.map(|t| t.0 / 1000), Some(1_795_305_600), "{body}");
    assert!(!event.provider_id.is_empty());
    assert_eq!(events(kind, &authorised).await.unwrap(), list, "told again");
    event.clone()
}

fn token() -> Shared {
    Shared::Token(Secret::new("t0ken"))
}

#[tokio::test]
async fn sendgrid_is_known_by_its_key() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
    let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let spki = data_encoding::HEXLOWER.decode(head.as_bytes()).unwrap();
    let spki = STANDARD.encode([&spki, key.public_key().as_ref()].concat());
    let kind = HookKind::SendGrid { key: PublicKey::parse(&spki).unwrap() };
    let signed = |at: &str, body: &str| {
        let signature = key.sign(&random, format!("{at}{body}").as_bytes()).unwrap();
        let signature = STANDARD.encode(signature);
        request(
            &[
                ("x-twilio-email-event-webhook-signature", &signature),
                ("x-twilio-email-event-webhook-timestamp", at),
            ],
            body,
        )
    };
    let event = |kind: &str, more: &str| {
        format!(
            r#"[{{"event":"{kind}","email":"a@x.test","timestamp":{SECONDS},"sg_event_id":"e-{kind}",
            "postroad_ref":"r3f"{more}}}]"#
        )
    };
    for (name, more, what) in [
        ("bounce", r#","type":"bounce","status":"5.1.1","reason":"550 5.1.1 no""#, "bounce"),
        ("bounce", r#","bounce_classification":"Invalid Address""#, "hard"),
        ("bounce", r#","type":"blocked","reason":"554 blocked""#, "soft"),
        ("dropped", r#","reason":"Bounced Address""#, "suppressed"),
        ("dropped", r#","reason":"Spam Content (if spam checker app is enabled)""#, "soft"),
        ("deferred", "", "deferred"),
        ("delivered", "", "delivered"),
        ("spamreport", "", "complaint"),
        ("group_unsubscribe", "", "unsubscribed"),
        ("open", "", "opened"),
        ("click", "", "clicked"),
    ] {
        let list = events(&kind, &signed(SECONDS, &event(name, more))).await.unwrap();
        assert_eq!(gist(&list[0]), (Some("a@x.test"), what, Some("r3f")), "{name}");
        assert_eq!(list[0].provider_id, format!("e-{name}"));
    }
    assert_eq!(events(&kind, &signed(SECONDS, &event("processed", ""))).await.unwrap(), []);
    let body = event("bounce", "");
    let refused = async |request: Request| {
        let refusal = events(&kind, &request).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Forged(_)), "{refusal}");
    };
    refused(signed("1795305200", &body)).await;
    refused(Request { body: body.replace("a@x", "b@x").into_bytes(), ..signed(SECONDS, &body) })
        .await;
    refused(request(&[], &body)).await;
    for text in ["", "MFkw", "no base64!", &STANDARD.encode([0; 91])] {
        assert_eq!(PublicKey::parse(text), Err(KeyError), "{text}");
    }
}

#[tokio::test]
async fn mailgun_is_known_by_its_hmac_and_a_token_is_good_for_one_body() {
    let kind = HookKind::Mailgun { key: Secret::new("key-1") };
    let signed = |at: &str, token: &str, data: &str| {
        let tag = hex(&hmac(b"key-1", &format!("{at}{token}")));
        let body = format!(
            r#"{{"signature":{{"timestamp":"{at}","token":"{token}","signature":"{tag}"}},
            "event-data":{{"recipient":"a@x.test","id":"g-1","timestamp":{SECONDS}.25,
            "user-variables":{{"postroad-ref":"r3f"}},{data}}}}}"#
        );
        request(&[], &body)
    };
    let verifier = Verifier::new(nothing());
    for (n, (data, what)) in [
        (r#""event":"failed","severity":"permanent","delivery-status":{"code":550,"bounce-type":"hard"}"#, "hard"),
        (r#""event":"failed","severity":"permanent","reason":"suppress-bounce""#, "suppressed"),
        (r#""event":"failed","severity":"temporary""#, "deferred"),
        (r#""event":"complained""#, "complaint"),
        (r#""event":"unsubscribed""#, "unsubscribed"),
        (r#""event":"delivered""#, "delivered"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = signed(SECONDS, &format!("t{n}"), data);
        let list = verifier.events(&kind, &request, NOW).await.unwrap();
        assert_eq!(gist(&list[0]), (Some("a@x.test"), what, Some("r3f")), "{data}");
        assert_eq!(verifier.events(&kind, &request, NOW).await.unwrap(), list, "told again");
        let other = signed(SECONDS, &format!("t{n}"), r#""event":"opened""#);
        let refusal = verifier.events(&kind, &other, NOW).await.unwrap_err();
        assert!(refusal.to_string().contains("another event"), "{refusal}");
    }
    let old = signed("1795200000", "t9", r#""event":"opened""#);
    assert!(verifier.events(&kind, &old, NOW).await.is_err());
    let other = HookKind::Mailgun { key: Secret::new("key-2") };
    let request = signed(SECONDS, "t8", r#""event":"opened""#);
    assert!(verifier.events(&other, &request, NOW).await.is_err());
}

#[tokio::test]
async fn postmark_sparkpost_mailjet_and_brevo_speak_of_the_same_things() {
    let postmark = HookKind::Postmark(token());
    let meta = r#""Email":"a@x.test","ID":7,"BouncedAt":"2026-11-22T00:00:00Z","Metadata":{"postroad-ref":"r3f"}"#;
    for (kind, what) in [
        ("HardBounce", "hard"),
        ("SoftBounce", "soft"),
        ("InboundError", "soft"),
        ("ManuallyDeactivated", "suppressed"),
        ("Unsubscribe", "unsubscribed"),
    ] {
        check(&postmark, &format!(r#"{{"RecordType":"Bounce","Type":"{kind}",{meta}}}"#), what)
            .await;
    }
    check(&postmark, &format!(r#"{{"RecordType":"SpamComplaint",{meta}}}"#), "complaint").await;
    let sparkpost = HookKind::SparkPost(token());
    let envelope = |envelope: &str, kind: &str, more: &str| {
        format!(
            r#"[{{"msys":{{"{envelope}":{{"type":"{kind}","rcpt_to":"a@x.test","event_id":"9",
            "timestamp":"{SECONDS}","rcpt_meta":{{"postroad_ref":"r3f"}}{more}}}}}}}]"#
        )
    };
    let class =
        |n: u8| format!(r#","bounce_class":"{n}","raw_reason":"550 5.1.1 no","error_code":"550""#);
    check(&sparkpost, &envelope("message_event", "bounce", &class(10)), "hard").await;
    check(&sparkpost, &envelope("message_event", "out_of_band", &class(22)), "soft").await;
    let reason = |words: &str| format!(r#","raw_reason":"{words}""#);
    let listed = reason("550 recipient address suppressed due to customer policy");
    let policy = |more: &str| envelope("message_event", "policy_rejection", more);
    check(&sparkpost, &policy(&listed), "suppressed").await;
    check(&sparkpost, &policy(&reason("Exceed Sending Limit (daily)")), "soft").await;
    let failed = reason("substitution syntax error");
    check(&sparkpost, &envelope("gen_event", "generation_rejection", &failed), "soft").await;
    check(&sparkpost, &envelope("message_event", "spam_complaint", ""), "complaint").await;
    check(&sparkpost, &envelope("unsubscribe_event", "list_unsubscribe", ""), "unsubscribed").await;
    let mailjet = HookKind::Mailjet(token());
    let event = |kind: &str, more: &str| {
        format!(
            r#"{{"event":"{kind}","email":"a@x.test","time":{SECONDS},"CustomID":"r3f"{more}}}"#
        )
    };
    check(&mailjet, &event("bounce", r#","hard_bounce":true"#), "hard").await;
    check(&mailjet, &event("bounce", r#","hard_bounce":false"#), "soft").await;
    check(&mailjet, &event("blocked", r#","error":"preblocked""#), "suppressed").await;
    check(&mailjet, &event("spam", ""), "complaint").await;
    let brevo = HookKind::Brevo(token());
    let event = |kind: &str| {
        format!(
            r#"{{"event":"{kind}","email":"a@x.test","id":1,"ts_event":{SECONDS},"reason":"550 5.1.1 no",
            "message-id":"<m@x>","X-Mailin-custom":"{{\"postroad_ref\":\"r3f\"}}"}}"#
        )
    };
    for (kind, what) in [
        ("hard_bounce", "hard"),
        ("soft_bounce", "soft"),
        ("spam", "complaint"),
        ("blocked", "suppressed"),
        ("unsubscribed", "unsubscribed"),
        ("delivered", "delivered"),
    ] {
        let told = check(&brevo, &event(kind), what).await;
        assert_eq!(told.message_id.as_deref(), Some("<m@x>"));
    }
}

#[tokio::test]
async fn who_does_not_sign_must_know_the_login() {
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let postmark = HookKind::Postmark(Shared::Basic {
        username: "postmark".into(),
        password: Secret::new("p:w"),
    });
    let check = async |kind: &HookKind, request: Request, right: bool| {
        let told = events(kind, &request).await;
        assert_eq!(told.is_ok(), right, "{request:?}");
    };
    check(&postmark, request(&[("authorization", &basic("postmark:p:w"))], "{}"), true).await;
    for wrong in ["postmark:p", "postmark:", ":p:w", ""] {
        check(&postmark, request(&[("authorization", &basic(wrong))], "{}"), false).await;
    }
    check(&postmark, request(&[("authorization", "Basic ?")], "{}"), false).await;
    check(&postmark, request(&[], "{}"), false).await;
    let brevo = HookKind::Brevo(Shared::Token(Secret::new("a b")));
    check(&brevo, request(&[("x-postroad-token", "a b")], "{}"), true).await;
    check(&brevo, request(&[("x-postroad-token", "a  b")], "{}"), false).await;
    for (query, right) in [("x=1&token=a%20b", true), ("token=", false), ("token=%", false)] {
        let request = Request { query: query.into(), ..request(&[], "{}") };
        check(&brevo, request, right).await;
    }
}

#[tokio::test]
async fn resend_and_our_own_form_are_known_by_their_hmacs() {
    let secret = Secret::new(format!("whsec_{}", STANDARD.encode("k3y")));
    let kind = HookKind::Resend { secret };
    let body = |what: &str, more: &str| {
        format!(
            r#"{{"type":"email.{what}","created_at":"2026-11-22T00:00:00.000Z","data":{{"email_id":"1",
            "to":["a@x.test"],"headers":[{{"name":"X-Postroad-Ref","value":"r3f"}}]{more}}}}}"#
        )
    };
    let signed = |at: &str, body: &str| {
        let tag = STANDARD.encode(hmac(b"k3y", &format!("msg_1.{at}.{body}")));
        let signatures = format!("v1,AAAA v1,{tag}");
        let id = ("svix-id", "msg_1");
        request(&[id, ("svix-timestamp", at), ("svix-signature", &signatures)], body)
    };
    for (name, more, what) in [
        (
            "bounced",
            r#","bounce":{"type":"Permanent","subType":"General","message":"no such user"}"#,
            "hard",
        ),
        ("bounced", r#","bounce":{"type":"Permanent","subType":"Suppressed"}"#, "suppressed"),
        ("complained", "", "complaint"),
        ("delivered", "", "delivered"),
        ("delivery_delayed", "", "deferred"),
    ] {
        let list = events(&kind, &signed(SECONDS, &body(name, more))).await.unwrap();
        assert_eq!(gist(&list[0]), (Some("a@x.test"), what, Some("r3f")), "{name}");
    }
    let sent = body("bounced", "");
    assert!(events(&kind, &signed("1795305200", &sent)).await.is_err());
    assert!(events(&kind, &request(&[], &sent)).await.is_err());
    let kind = HookKind::Generic { secret: Secret::new("k3y") };
    let signed = |at: &str, body: &str| {
        let tag = hex(&hmac(b"k3y", &format!("{at}.{body}")));
        request(&[("x-postroad-signature", &format!("t={at}, v1={tag}"))], body)
    };
    let event = |kind: &str| {
        format!(
            r#"{{"events":[{{"id":"1","type":"{kind}","recipient":"a@x.test","ref":"r3f","at":{SECONDS},
            "permanent":true,"diagnostic":"550 5.1.1 no"}}]}}"#
        )
    };
    for (name, what) in [("bounce", "hard"), ("complaint", "complaint"), ("clicked", "clicked")] {
        let list = events(&kind, &signed(SECONDS, &event(name))).await.unwrap();
        assert_eq!(gist(&list[0]), (Some("a@x.test"), what, Some("r3f")), "{name}");
    }
    assert!(events(&kind, &signed("1795305200", &event("bounce"))).await.is_err());
    for (body, words) in [
        (r#"{"events":{}}"#, "must be"),
        (r#"{"events":[{"type":"bounce"}]}"#, "no id"),
        (r#"{"events":[{"id":1,"type":"bounced"}]}"#, "one of"),
        (r#"{"events":[{"id":1,"type":"bounce"}]}"#, "neither"),
        ("[", "EOF"),
    ] {
        let refusal = events(&kind, &signed(SECONDS, body)).await.unwrap_err();
        assert!(refusal.to_string().contains(words), "{body}: {refusal}");
        assert_eq!(refusal.status(), 400);
    }
}

#[tokio::test]
async fn hostile_bodies_are_bounded_and_never_panic() {
    let kinds = [
        HookKind::Postmark(token()),
        HookKind::SparkPost(token()),
        HookKind::Mailjet(token()),
        HookKind::Brevo(token()),
    ];
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(
        r#"{{"event":"bounce","RecordType":"Bounce","email":"{}","Details":"{}","comment":"{}"}}"#,
        "a".repeat(5_000),
        "\\u0000x".repeat(9_000),
        "é".repeat(5_000)
    );
    let many = format!("[{}0]", "0,".repeat(30_000));
    for kind in &kinds {
        for body in
            ["", "null", "0", "[]", "{}", "\"x\"", "[[]]", "[{\"msys\":3}]", &deep, &long, &many]
        {
            let request = request(&[("authorization", "bearer t0ken")], body);
            let Ok(list) = events(kind, &request).await else { continue };
            for event in list {
                assert!(event.recipient.is_none_or(|r| r.len() <= 998));
                if let ProviderWhat::Bounce { diagnostic, .. } = event.what {
                    assert!(diagnostic.chars().count() <= 2_000 && !diagnostic.contains('\0'));
                }
            }
        }
        let large = request(&[], &"x".repeat(MAX_BODY + 1));
        assert!(matches!(events(kind, &large).await, Err(Refusal::TooLarge)));
    }
}
