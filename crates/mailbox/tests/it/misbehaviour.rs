//! Servers that lie, stall, hang up, or send without an end.

use crate::world::scripted;
use postroad_mailbox::{Access, Error, Imap, Login, Opening, Pop3};
use postroad_model::Secret;
use postroad_model::relay::TlsMode;

fn script(answers: &[&str]) -> Vec<Vec<u8>> {
    answers.iter().map(|a| a.as_bytes().to_vec()).collect()
}

const CAPABILITIES: &str = "* CAPABILITY IMAP4rev1 IDLE\r\nTAG OK done\r\n";

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let error = Imap::open(&scripted(script(&[""])).await).await.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    let error = Pop3::open(&scripted(script(&[""])).await).await.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    let access = scripted(script(&["* OK hi\r\n", "TAG OK in\r\n", CAPABILITIES])).await;
    let mut imap = Imap::open(&access).await.unwrap();
    let error = imap.select("INBOX", Opening::ReadOnly).await.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_mail_server_is_named_so() {
    for greeting in ["HTTP/1.1 400 Bad Request\r\n\r\n", "220 smtp.test ESMTP\r\n", "\0\0\r\n"] {
        let access = scripted(script(&[greeting])).await;
        let error = Imap::open(&access).await.unwrap_err();
        assert!(matches!(error, Error::Lost { .. } | Error::Strange { .. }), "{error}");
        let error = Pop3::open(&scripted(script(&[greeting])).await).await.unwrap_err();
        assert!(matches!(error, Error::Strange { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_message_without_an_end_is_cut_off() {
    let flood = format!("* 1 FETCH (UID 1 BODY[]<0> {{900000000}}\r\n{}", "x".repeat(3_000_000));
    let access = scripted(script(&["* OK hi\r\n", "TAG OK in\r\n", CAPABILITIES, &flood])).await;
    let mut imap = Imap::open(&access).await.unwrap();
    let error = imap.fetch(1, 1000).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    let line = "x".repeat(40_000_000);
    let access =
        scripted(script(&["+OK\r\n", "+OK\r\n", "+OK\r\n", &format!("+OK\r\n1 {line}")])).await;
    let error = Pop3::open(&access).await.unwrap().unique_ids().await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. } | Error::Strange { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_unique_ids_is_of_no_use() {
    let access = scripted(script(&["+OK\r\n", "+OK\r\n", "+OK\r\n", "-ERR what?\r\n"])).await;
    let error = Pop3::open(&access).await.unwrap().unique_ids().await.unwrap_err();
    assert!(error.needs_a_person(), "{error}");
    let answers = ["* OK hi\r\n", "TAG OK in\r\n", CAPABILITIES, "* 3 EXISTS\r\nTAG OK\r\n"];
    let mut imap = Imap::open(&scripted(script(&answers)).await).await.unwrap();
    let error = imap.select("INBOX", Opening::ReadOnly).await.unwrap_err();
    assert!(error.needs_a_person(), "{error}");
}

/// imap-proto 0.17 panics on these.
#[tokio::test]
async fn words_that_the_library_falls_over_end_the_connection_and_nothing_else() {
    let odd = "* OK [UIDVALIDITY 7]\u{fffd}x\r\nTAG OK\r\n";
    let mut imap =
        Imap::open(&scripted(script(&["* OK hi\r\n", "TAG OK in\r\n", CAPABILITIES, odd])).await)
            .await
            .unwrap();
    let error = imap.select("INBOX", Opening::ReadOnly).await.unwrap_err();
    assert!(matches!(error, Error::Strange { .. }), "{error}");
    let answers = ["* OK hi\r\n", "TAG OK in\r\n", CAPABILITIES, &format!("+ idling\r\n{odd}")];
    let mut imap = Imap::open(&scripted(script(&answers)).await).await.unwrap();
    let never = std::future::pending::<()>();
    let error = imap.wait(std::time::Duration::from_secs(600), never).await.unwrap_err();
    assert!(matches!(error, Error::Strange { .. }), "{error}");
}

fn bearer(mut access: Access) -> Access {
    let token = Secret::new("t0ken");
    access.login = Login::Bearer { username: "anna@b.test".into(), token };
    access
}

#[tokio::test]
async fn a_token_is_sent_as_xoauth2_wants_it_and_its_refusal_is_told() {
    let refused =
        ["* OK hi\r\n", "+ \r\n", "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", "A0001 NO Bad token\r\n"];
    let error = Imap::open(&bearer(scripted(script(&refused)).await)).await.unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    assert!(error.to_string().contains("Bad token"), "{error}");
    let refused = ["+OK\r\n", "+ \r\n", "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", "-ERR Bad token\r\n"];
    let error = Pop3::open(&bearer(scripted(script(&refused)).await)).await.unwrap_err();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    let taken = ["+OK\r\n", "+ \r\n", "+OK in\r\n", "+OK\r\n1 abc\r\n.\r\n"];
    let mut pop3 = Pop3::open(&bearer(scripted(script(&taken)).await)).await.unwrap();
    assert_eq!(pop3.unique_ids().await.unwrap(), [(1, "abc".to_owned())]);
}

#[tokio::test]
async fn a_login_goes_in_clear_text_to_loopback_alone() {
    // 192.0.2.1 is for documentation (RFC 5737): nothing answers, and the name is no loopback address either way.
    let mut access = scripted(script(&["+OK\r\n"])).await;
    access.endpoint.host = "192.0.2.1".into();
    access.endpoint.tls = TlsMode::None;
    assert!(Pop3::open(&access).await.is_err());
}
