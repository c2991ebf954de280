//! AUTH: each mechanism, refusals, and what is never sent in clear text.

use postroad_delivery::dial::{Credentials, DialFault, DialWhat, dial};
use postroad_model::{Secret, relay::TlsMode, reply::Phase};
use postroad_smtpd::{Account, Logins, Mechanism};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::server::{Setup, target};
use postroad_testkit::certificate::Authority;

fn password(password: &str) -> Credentials {
    Credentials::Password { username: "anna@x.test".into(), password: Secret::new(password) }
}

fn bearer(token: &str) -> Credentials {
    Credentials::Bearer { username: "anna@x.test".into(), token: Secret::new(token) }
}

async fn log_in(
    mechanisms: &[Mechanism],
    credentials: Credentials,
    mode: TlsMode,
    behaviour: &'static str,
) -> Result<(), Box<DialFault>> {
    let account = Account {
        user: "anna@x.test".into(),
        password: Some("sesame".into()),
        token: Some("ya29.token".into()),
    };
    let logins = Logins::Required(mechanisms.to_vec(), vec![account]);
    let relay = Setup { mode, behaviour, logins, ..Setup::default() }.start().await;
    let mut target = relay.target();
    target.credentials = credentials;
    dial(&target).await.map(|_| ())
}

#[tokio::test]
async fn each_mechanism_logs_in_and_is_refused_with_the_relays_reply() {
    let check = async |mechanism, good: Credentials, bad: Credentials| {
        for mode in [TlsMode::Implicit, TlsMode::Starttls, TlsMode::None] {
            log_in(&[mechanism], good.clone(), mode, "").await.unwrap();
        }
        let fault = log_in(&[mechanism], bad, TlsMode::Starttls, "").await.unwrap_err();
        assert_eq!(fault.phase, Phase::Auth);
        let DialWhat::Reply(reply) = &fault.what else { panic!("{fault}") };
        assert_eq!(reply.to_string(), "535 5.7.8 Username and Password not accepted");
        assert!(fault.to_string().contains("check user name and password"), "{fault}");
    };
    check(Mechanism::Plain, password("sesame"), password("wrong")).await;
    check(Mechanism::Login, password("sesame"), password("wrong")).await;
    check(Mechanism::CramMd5, password("sesame"), password("wrong")).await;
    check(Mechanism::Xoauth2, bearer("ya29.token"), bearer("expired")).await;
}

#[tokio::test]
async fn the_reply_to_a_login_keeps_every_digit() {
    let rule = r#"rules = [{ at = "auth", reply = "535 5.7.509 locked" }]"#;
    let fault = log_in(&[Mechanism::Plain], password("sesame"), TlsMode::Starttls, rule).await;
    let fault = fault.unwrap_err();
    let DialWhat::Reply(reply) = &fault.what else { panic!("{fault}") };
    assert_eq!(reply.enhanced.map(|status| status.detail), Some(509));
}

#[tokio::test]
async fn a_relay_that_offers_nothing_that_fits_is_told_apart() {
    let check = async |mechanisms: &[Mechanism], credentials, words: &str| {
        let fault = log_in(mechanisms, credentials, TlsMode::Starttls, "").await.unwrap_err();
        assert!(matches!(fault.what, DialWhat::Unsupported(_)), "{fault}");
        assert!(fault.to_string().contains(words), "{fault}");
    };
    check(&[Mechanism::Xoauth2], password("sesame"), "offers AUTH XOAUTH2").await;
    check(&[Mechanism::Plain], bearer("ya29.token"), "offers AUTH PLAIN").await;
    check(&[], password("sesame"), "offers no AUTH").await;
}

#[tokio::test]
async fn a_refused_login_is_not_repeated_at_the_next_address() {
    let logins = Logins::Required(vec![Mechanism::Plain], Vec::new());
    let relay = Setup { logins, ..Setup::default() }.start().await;
    let mut target = relay.target();
    target.credentials = password("wrong");
    target.addresses = vec![relay.server.local_addr(); 3];
    let fault = dial(&target).await.unwrap_err();
    assert_eq!((fault.phase, relay.server.connections()), (Phase::Auth, 1));
}

/// The AUTH lines of a client whose server refuses the first mechanisms as told.
async fn auth_lines(listener: TcpListener, replies: &'static [&'static str]) -> Vec<String> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    let say = async |stream: &mut BufReader<TcpStream>, text: &str| {
        stream.get_mut().write_all(text.as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        line
    };
    say(&mut stream, "220 mx.test\r\n").await;
    lines.push(say(&mut stream, "250-mx.test\r\n250 AUTH CRAM-MD5 LOGIN PLAIN\r\n").await);
    for reply in replies {
        lines.push(say(&mut stream, reply).await);
    }
    lines
}

#[tokio::test]
async fn the_next_mechanism_is_tried_when_one_is_refused_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = target(listener.local_addr().unwrap(), TlsMode::None, &Authority::new());
    target.credentials = password("sesame");
    let replies = &[
        "504 5.5.4 not this one\r\n",
        "334 TmFtZSBwbGVhc2U=\r\n",
        "334 QW5kIHRoZSBzZWNyZXQ=\r\n",
        "235 2.7.0 welcome\r\n",
    ];
    let (lines, opened) = tokio::join!(auth_lines(listener, replies), async {
        let opened = dial(&target).await;
        // The server waits for one more line: the end of the connection is one.
        opened.map(drop)
    });
    opened.unwrap();
    assert_eq!(lines[0], "AUTH PLAIN AGFubmFAeC50ZXN0AHNlc2FtZQ==\r\n");
    assert_eq!(lines[1..4], ["AUTH LOGIN\r\n", "YW5uYUB4LnRlc3Q=\r\n", "c2VzYW1l\r\n"]);
}
