//! TCP, TLS, greeting and EHLO, and what is said when one of them fails.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use postroad_delivery::{
    connection::timeouts::Timeouts,
    dial::{DialWhat, Local, dial, resolve, tls_trusting_only},
};
use postroad_model::{
    relay::{Endpoint, TlsMode},
    reply::Phase,
};
use postroad_testkit::{certificate::Authority, loopback};
use rustls::{CertificateError, Error as TlsError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::server::{Relayed, Setup, target};

async fn start(mode: TlsMode) -> Relayed {
    Setup { mode, ..Setup::default() }.start().await
}

#[tokio::test]
async fn a_connection_is_opened_in_each_tls_mode_without_nagle_and_with_keepalive() {
    for mode in [TlsMode::None, TlsMode::Starttls, TlsMode::Implicit] {
        let relay = start(mode).await;
        let connection = relay.dial().await.unwrap();
        let offered = connection.capabilities();
        assert!(offered.pipelining && offered.smtputf8 && offered.dsn && offered.chunking);
        assert_eq!(offered.size_max(), Some(50 * 1024 * 1024));
        assert!(!offered.starttls, "it is not offered again");
        assert!(connection.tcp().nodelay().unwrap());
        assert!(socket2::SockRef::from(connection.tcp()).keepalive().unwrap());
        assert_eq!(connection.address(), relay.server.local_addr());
    }
}

/// The dial fails at this phase; what it says holds these words.
async fn check(setup: Setup, phase: Phase, words: &[&str]) -> DialWhat {
    let relay = setup.start().await;
    let fault = relay.dial().await.unwrap_err();
    let text = fault.to_string();
    assert_eq!(fault.phase, phase, "{text}");
    assert!(text.contains("localhost:"), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    fault.what
}

#[tokio::test]
async fn an_expired_certificate_is_named_as_such() {
    for mode in [TlsMode::Starttls, TlsMode::Implicit] {
        let certificate = |authority: &Authority| authority.issue_expired("localhost");
        let setup = Setup { mode, certificate, ..Setup::default() };
        let what = check(setup, Phase::StartTls, &["has expired", "renew"]).await;
        let expired = matches!(
            &what,
            DialWhat::Tls(error) if matches!(
                **error,
                TlsError::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. }
                )
            )
        );
        assert!(expired, "{what:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let certificate = |authority: &Authority| authority.issue("other.test");
    let setup = Setup { mode: TlsMode::Implicit, certificate, ..Setup::default() };
    check(setup, Phase::StartTls, &["another name"]).await;
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_is_not_trusted_is_refused() {
    let certificate = |_: &Authority| Authority::new().issue("localhost");
    let setup = Setup { mode: TlsMode::Starttls, certificate, ..Setup::default() };
    check(setup, Phase::StartTls, &["no trusted authority", "ca_file"]).await;
}

#[tokio::test]
async fn an_authority_file_without_certificates_is_refused() {
    assert!(tls_trusting_only(b"nothing").is_err_and(|e| e.to_string().contains("PEM")));
}

#[tokio::test]
async fn no_mail_is_offered_to_a_relay_that_should_have_tls_and_has_not() {
    let relay = start(TlsMode::None).await;
    let target = target(relay.server.local_addr(), TlsMode::Starttls, &relay.authority);
    let fault = dial(&target).await.unwrap_err();
    assert!(matches!(fault.what, DialWhat::Unsupported(_)), "{fault}");
}

#[tokio::test]
async fn every_fault_of_an_opening_has_its_phase() {
    let fault = |behaviour| Setup { behaviour, mode: TlsMode::Starttls, ..Setup::default() };
    let dropped = [
        (Phase::Greeting, r#"faults = [{ at = "greeting", action = "drop" }]"#),
        (Phase::Ehlo, r#"faults = [{ at = "ehlo", action = "reset" }]"#),
        (Phase::StartTls, r#"faults = [{ at = "start_tls", action = "drop" }]"#),
    ];
    for (phase, behaviour) in dropped {
        let what = check(fault(behaviour), phase, &[]).await;
        assert!(matches!(what, DialWhat::Io { .. }), "{what:?}");
    }
    let handshake = r#"faults = [{ at = "start_tls", moment = "after_reply", action = "drop" }]"#;
    check(fault(handshake), Phase::StartTls, &[]).await;
    let garbage = r#"faults = [{ at = "ehlo", action = "garbage" }]"#;
    let what = check(fault(garbage), Phase::Ehlo, &["is not an SMTP reply"]).await;
    assert!(matches!(what, DialWhat::Malformed(_)), "{what:?}");
}

#[tokio::test]
async fn refusals_of_an_opening_keep_every_digit() {
    let check_reply = async |behaviour, phase, text: &str| {
        let setup = Setup { behaviour, mode: TlsMode::Starttls, ..Setup::default() };
        let what = check(setup, phase, &[text]).await;
        assert!(matches!(what, DialWhat::Reply(_)), "{what:?}");
    };
    let greeting = r#"rules = [{ at = "greeting", reply = "554 5.7.606 blocked" }]"#;
    check_reply(greeting, Phase::Greeting, "554 5.7.606 blocked").await;
    let ehlo = r#"rules = [{ at = "ehlo", reply = "421 4.7.650 slow down" }]"#;
    check_reply(ehlo, Phase::Ehlo, "421 4.7.650 slow down").await;
    let tls = r#"rules = [{ at = "start_tls", reply = "454 4.7.0 TLS not available" }]"#;
    check_reply(tls, Phase::StartTls, "454 4.7.0 TLS not available").await;
}

#[tokio::test]
async fn a_silent_relay_ends_at_the_time_out() {
    let setup = Setup {
        behaviour: r#"faults = [{ at = "greeting", action = { stall = {} } }]"#,
        ..Setup::default()
    };
    let relay = setup.start().await;
    let mut target = relay.target();
    target.timeouts.greeting = Duration::from_millis(50);
    let fault = dial(&target).await.unwrap_err();
    assert!(
        matches!(fault.what, DialWhat::Timeout(_)) && fault.phase == Phase::Greeting,
        "{fault}"
    );
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_serve() {
    let relay = start(TlsMode::None).await;
    let mut target = relay.target();
    target.addresses.insert(0, loopback::address());
    assert_eq!(dial(&target).await.unwrap().address(), relay.server.local_addr());
    // Where none serves, the one that came furthest tells the most.
    let greets = Setup {
        behaviour: r#"rules = [{ at = "greeting", reply = "554 5.3.2 closed" }]"#,
        ..Setup::default()
    };
    let greets = greets.start().await;
    target.addresses = vec![greets.server.local_addr(), loopback::address()];
    let fault = dial(&target).await.unwrap_err();
    assert_eq!((fault.phase, fault.address), (Phase::Greeting, Some(greets.server.local_addr())));
}

#[tokio::test]
async fn nobody_listens_and_nobody_is_found_are_told_apart() {
    let refused = target(loopback::address(), TlsMode::None, &Authority::new());
    let fault = dial(&refused).await.unwrap_err().to_string();
    assert!(fault.contains("nothing listens there"), "{fault}");
    let mut nowhere = refused.clone();
    nowhere.addresses.clear();
    let fault = dial(&nowhere).await.unwrap_err().to_string();
    assert!(fault.contains("no address") && fault.contains("DNS"), "{fault}");
}

#[tokio::test]
async fn a_host_is_resolved_to_all_its_addresses_once() {
    let endpoint = Endpoint { host: "127.0.0.1".into(), port: 2525, tls: TlsMode::None };
    let timeouts = Timeouts::default();
    let found = resolve(&endpoint, &timeouts);
    assert_eq!(found.await.unwrap(), [(Ipv4Addr::LOCALHOST, 2525).into()]);
}

#[tokio::test]
async fn a_local_address_is_bound_where_it_fits() {
    let relay = start(TlsMode::None).await;
    let mut target = relay.target();
    target.local = Local::new("client.test", Some(loopback::ip()));
    let connection = dial(&target).await.unwrap();
    assert_eq!(connection.tcp().local_addr().unwrap().ip(), loopback::ip());
}

/// A server of few words: after each of these it waits for one line.
async fn dialogue(
    said: &'static [&'static str],
) -> (Arc<tokio::sync::Mutex<Vec<String>>>, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for text in said {
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut line = vec![0; 512];
            let read = stream.read(&mut line).await.unwrap_or(0);
            log.lock().await.push(String::from_utf8_lossy(&line[..read]).into_owned());
        }
    });
    (heard, address)
}

#[tokio::test]
async fn a_server_that_knows_no_ehlo_is_greeted_with_helo() {
    let (heard, address) =
        dialogue(&["220 old.test\r\n", "502 what?\r\n", "250 old.test\r\n"]).await;
    let connection = dial(&target(address, TlsMode::None, &Authority::new())).await.unwrap();
    assert!(!connection.capabilities().pipelining);
    assert_eq!(heard.lock().await[..2], ["EHLO client.test\r\n", "HELO client.test\r\n"]);
}

#[tokio::test]
async fn replies_injected_behind_starttls_end_the_dial() {
    let (_, address) = dialogue(&[
        "220 mx.test\r\n",
        "250-mx.test\r\n250 STARTTLS\r\n",
        "220 go\r\n250-mx.test\r\n250 AUTH PLAIN\r\n",
    ])
    .await;
    let fault = dial(&target(address, TlsMode::Starttls, &Authority::new())).await.unwrap_err();
    assert!(fault.to_string().contains("tamper"), "{fault}");
}

#[tokio::test]
async fn a_name_that_would_break_ehlo_is_not_used() {
    let (heard, address) = dialogue(&["220 mx.test\r\n", "250 mx.test\r\n"]).await;
    let mut target = target(address, TlsMode::None, &Authority::new());
    target.local = Local::new("x\r\nMAIL FROM:<a@b.test>", None);
    dial(&target).await.unwrap();
    assert_eq!(heard.lock().await[0], "EHLO localhost\r\n");
}
