//! The ways in: a real Postfix that bounces, a real Dovecot that keeps the bounces, the listener; kills and two nodes.

use crate::mails::dsn;
use crate::world::{BOUNCES, FALL, World};
use futures_util::FutureExt;
use postroad_feedback::ways::{
    After, Listener, ListenerSettings, MailProtocol, Speaks, Watch, WatchEvent, watch,
};
use postroad_feedback::{Feedback, Settings};
use postroad_mailbox::{Access, Login, OpenAccess, Timeouts};
use postroad_model::delivery::DeliveryState;
use postroad_model::relay::{Endpoint, TlsMode};
use postroad_model::{NodeId, Secret};
use postroad_testkit::dovecot::{self, Dovecot, PASSWORD};
use postroad_testkit::postfix::{self, Postfix, Route};
use postroad_testkit::{SimClock, builders, smtp_sink};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

const AN: &str = "an@example.vn";
const BINH: &str = "binh@example.vn";
const CHI: &str = "chi@example.vn";
const GONE: &str = "550 5.1.1 User unknown";
const ORDINARY: &str = "From: friend@example.net\nSubject: Lunch?\n\nAt noon?\n";

fn watched(dovecot: &Dovecot, protocol: MailProtocol, bounces: After) -> Watch {
    let mut roots = rustls::RootCertStore::empty();
    let pem = dovecot.authority_pem().as_bytes();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let at = match protocol {
        MailProtocol::Imap => dovecot.imaps(),
        MailProtocol::Pop3 => dovecot.pop3s(),
    };
    let access = Access {
        endpoint: Endpoint { host: at.ip().to_string(), port: at.port(), tls: TlsMode::Implicit },
        tls: tokio_rustls::TlsConnector::from(Arc::new(tls)),
        login: Login::Password {
            username: format!("anybody@{BOUNCES}"),
            password: Secret::new(PASSWORD),
        },
        timeouts: Timeouts::default(),
        login_advice: String::new(),
    };
    let open: OpenAccess = Arc::new(move || {
        let access = access.clone();
        Box::pin(async move { Ok(access) })
    });
    Watch {
        name: "m".into(),
        protocol,
        access: open,
        folder: "INBOX".into(),
        bounces,
        others: After::Leave,
        poll: Duration::from_millis(200),
        look_back: Duration::from_secs(30 * 86_400),
        octets_max: 1_000_000,
    }
}

/// How a watch is ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Stopped,
    /// It goes no further, as after a kill.
    Killed,
}

/// Watches until an event is there so many times; all events that were heard.
async fn until(
    world: &World,
    node: NodeId,
    watched: &Watch,
    (event, times): (WatchEvent, usize),
    end: End,
) -> Vec<WatchEvent> {
    let clock = SimClock::at("2026-11-23T02:00:00Z");
    let stop = CancellationToken::new();
    let heard = Mutex::new(Vec::new());
    let tell = |e: WatchEvent| {
        let seen = {
            let mut heard = heard.lock().unwrap();
            heard.push(e.clone());
            heard.iter().filter(|h| **h == event).count()
        };
        assert!(!matches!(e, WatchEvent::Failed(_)), "{e:?}");
        match (e == event && seen == times, end) {
            (false, _) => {}
            (true, End::Stopped) => stop.cancel(),
            // Nothing behind this line is done any more.
            (true, End::Killed) => std::panic::resume_unwind(Box::new(())),
        }
    };
    let watching = watch(watched, &world.feedback, node, &clock, &stop, &tell);
    let both = std::panic::AssertUnwindSafe(watching).catch_unwind();
    let ended = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    match (end, ended) {
        (End::Stopped, Err(panic)) => std::panic::resume_unwind(panic),
        (End::Stopped, Ok(())) | (End::Killed, _) => {}
    }
    heard.into_inner().unwrap()
}

const BOUNCE: WatchEvent = WatchEvent::Taken { reports: 1 };

fn count(events: &[WatchEvent], event: &WatchEvent) -> usize {
    events.iter().filter(|e| *e == event).count()
}

/// By their tokens: a weak sign counts elsewhere.
async fn bounces_counted(world: &World) -> i64 {
    world.tallies().await.iter().map(|t| t.n).sum()
}

fn message(recipient: &str, reference: &str) -> String {
    format!(
        "From: News <news@news.example.com>\nTo: {recipient}\nSubject: Hello\nMessage-ID: <1@news.example.com>\n\
         X-Postroad-Ref: {reference}\n\nHello.\n"
    )
}

/// A Postfix to which every recipient is unknown, and whose bounces go there.
fn bouncing(to: SocketAddr) -> Option<(Postfix, smtp_sink::SmtpSink)> {
    let refusing = smtp_sink::spawn_with(&["-f", "RCPT"])?;
    let route = |domain: &str, transport: &str, to| Route {
        domain: domain.into(),
        transport: transport.into(),
        to,
    };
    let routes = [route(BOUNCES, "lmtp", to), route("*", "smtp", refusing.address())];
    Some((postfix::spawn(&routes, "")?, refusing))
}

#[tokio::test]
async fn what_a_real_postfix_bounces_is_read_over_imap_and_pop3() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let Some((postfix, _sink)) = bouncing(dovecot.lmtp()) else { return };
    let mut world = World::sqlite().await;
    world.people(&[AN, BINH]).await;
    let sent = world.send("one", &[]).await;
    for (who, protocol, after) in
        [(AN, MailProtocol::Imap, After::Leave), (BINH, MailProtocol::Pop3, After::Delete)]
    {
        postfix.send(&sent.return_path(who), who, &message(who, &sent.reference(who)));
        let mut watched = watched(&dovecot, protocol, after);
        watched.name = format!("{protocol:?}").to_lowercase();
        // Over POP3 the first bounce lies there still, and is known.
        let times = if who == AN { 1 } else { 2 };
        until(&world, world.node, &watched, (BOUNCE, times), End::Stopped).await;
        let row = world.row(sent.row(who)).await;
        assert_eq!(row.state, DeliveryState::Bounced, "{who}");
    }
    assert_eq!(bounces_counted(&world).await, 2);
}

#[tokio::test]
async fn what_a_real_postfix_bounces_is_taken_by_the_listener() {
    let mut world = World::sqlite().await;
    world.people(&[AN]).await;
    let sent = world.send("one", &[]).await;
    let listener = listening(&world, Speaks::Lmtp).await;
    let Some((postfix, _sink)) = bouncing(listener.local_addr()) else { return };
    postfix.send(&sent.return_path(AN), AN, &message(AN, &sent.reference(AN)));
    let bounced = async {
        while world.state(sent.row(AN)).await != DeliveryState::Bounced {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), bounced).await;
    assert!(found.is_ok(), "no bounce came:\n{}", postfix.log());
    assert_eq!(bounces_counted(&world).await, 1);
    listener.stop().await;
}

#[tokio::test]
async fn a_kill_between_recording_and_noting_repeats_nothing() {
    let Some(dovecot) = dovecot::spawn() else { return };
    for protocol in [MailProtocol::Imap, MailProtocol::Pop3] {
        let mut world = World::sqlite().await;
        world.people(&[AN]).await;
        let sent = world.send("one", &[]).await;
        let to = sent.return_path(AN);
        let mail = String::from_utf8(dsn(&to, AN, "5.1.1", GONE, "")).unwrap();
        dovecot.deliver(&to, &mail.replace("\r\n", "\n"));
        let watched = watched(&dovecot, protocol, After::Leave);
        let lying = dovecot.count(BOUNCES, "");
        until(&world, world.node, &watched, (BOUNCE, lying), End::Killed).await;
        assert_eq!(bounces_counted(&world).await, 1, "{protocol:?}: it is recorded");
        let again = until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
        assert!(count(&again, &BOUNCE) >= 1, "{protocol:?}: it was not noted: {again:?}");
        assert_eq!(bounces_counted(&world).await, 1, "{protocol:?}");
        let third = until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
        assert_eq!(count(&third, &BOUNCE), 0, "{protocol:?}: {third:?}");
    }
}

#[tokio::test]
async fn a_second_node_takes_no_message_twice() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut world = World::sqlite().await;
    world.people(&[AN]).await;
    let sent = world.send("one", &[]).await;
    let other = world.store.register_node("two", "0", world.now()).await.unwrap();
    let to = sent.return_path(AN);
    let mail = String::from_utf8(dsn(&to, AN, "5.1.1", GONE, "")).unwrap();
    dovecot.deliver(&to, &mail.replace("\r\n", "\n"));
    let watched = watched(&dovecot, MailProtocol::Imap, After::Leave);
    // Killed: its lease is not given back.
    let first = until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Killed).await;
    assert_eq!(count(&first, &BOUNCE), 1);
    let job = world.store.take_job("mailbox:m", other, world.now()).await.unwrap();
    assert_eq!(job, None, "the lease still runs");
    let first = until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
    assert_eq!(count(&first, &BOUNCE), 0);
    let second = until(&world, other, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
    assert_eq!(count(&second, &BOUNCE), 0, "{second:?}");
}

#[tokio::test]
async fn ordinary_mail_stays_and_bounces_go_where_they_are_told() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut world = World::sqlite().await;
    world.people(&[AN]).await;
    let sent = world.send("one", &[]).await;
    let to = sent.return_path(AN);
    let mail = String::from_utf8(dsn(&to, AN, "5.1.1", GONE, "")).unwrap().replace("\r\n", "\n");
    dovecot.deliver(&to, ORDINARY);
    dovecot.deliver(&to, &mail);
    let moving = watched(&dovecot, MailProtocol::Imap, After::Move("Bounces".into()));
    let heard = until(&world, world.node, &moving, (WatchEvent::Idle, 1), End::Stopped).await;
    assert_eq!(count(&heard, &WatchEvent::Taken { reports: 0 }), 1, "{heard:?}");
    assert_eq!((dovecot.count(BOUNCES, ""), dovecot.count(BOUNCES, "Bounces")), (1, 1));
    dovecot.deliver(&to, &mail);
    let mut deleting = watched(&dovecot, MailProtocol::Pop3, After::Delete);
    deleting.name = "p".into();
    until(&world, world.node, &deleting, (WatchEvent::Idle, 1), End::Stopped).await;
    assert_eq!(dovecot.count(BOUNCES, ""), 1, "the ordinary one");
    assert_eq!(bounces_counted(&world).await, 1);
}

#[tokio::test]
async fn a_mail_that_makes_the_program_fall_is_kept_and_the_next_one_is_read() {
    let Some(dovecot) = dovecot::spawn() else { return };
    for (protocol, who) in [(MailProtocol::Imap, AN), (MailProtocol::Pop3, BINH)] {
        let mut world = World::sqlite().await;
        world.people(&[AN, BINH]).await;
        let sent = world.send("one", &[]).await;
        world.falling();
        let to = sent.return_path(who);
        let mail = String::from_utf8(dsn(&to, who, "5.1.1", GONE, "")).unwrap();
        let mail = mail.replace("\r\n", "\n");
        dovecot.deliver(&to, &mail.replace("User unknown", FALL));
        dovecot.deliver(&to, &mail);
        let watched = watched(&dovecot, protocol, After::Leave);
        until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
        assert_eq!(world.state(sent.row(who)).await, DeliveryState::Bounced, "{protocol:?}");
        let kept = world.store.raw_mails(0, world.now(), 10).await.unwrap();
        assert!(kept.iter().any(|k| k.why.contains("fall")), "{protocol:?}: {kept:?}");
        let again = until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
        assert_eq!(count(&again, &WatchEvent::Taken { reports: 0 }), 0, "it is not tried again");
    }
}

/// A POP3 server of a few lines with two messages, the first of which it does not give in its first session.
async fn moody(mails: [Vec<u8>; 2]) -> SocketAddr {
    let listener =
        tokio::net::TcpListener::bind(postroad_testkit::loopback::address()).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for session in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"+OK hello\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: Vec<u8> = match line.as_str() {
                    "UIDL" => b"+OK\r\n1 one\r\n2 two\r\n.\r\n".to_vec(),
                    "RETR 1" if session == 0 => b"-ERR [SYS/TEMP] later\r\n".to_vec(),
                    "RETR 1" => [b"+OK\r\n", &mails[0][..], b".\r\n"].concat(),
                    "RETR 2" => [b"+OK\r\n", &mails[1][..], b".\r\n"].concat(),
                    _ => b"+OK\r\n".to_vec(),
                };
                write.write_all(&answer).await.unwrap();
            }
        }
    });
    at
}

#[tokio::test]
async fn a_message_that_the_server_did_not_give_is_asked_for_again() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let mut world = World::sqlite().await;
    world.people(&[AN, BINH]).await;
    let sent = world.send("one", &[]).await;
    let mail = |who: &str| dsn(&sent.return_path(who), who, "5.1.1", GONE, "");
    let at = moody([mail(AN), mail(BINH)]).await;
    let mut watched = watched(&dovecot, MailProtocol::Pop3, After::Leave);
    let open = watched.access.clone();
    watched.access = Arc::new(move || {
        let open = open.clone();
        Box::pin(async move {
            let endpoint =
                Endpoint { host: at.ip().to_string(), port: at.port(), tls: TlsMode::None };
            Ok(Access { endpoint, ..open().await? })
        })
    });
    let heard = until(&world, world.node, &watched, (BOUNCE, 2), End::Stopped).await;
    assert_eq!(count(&heard, &WatchEvent::Open), 2, "{heard:?}");
    for who in [AN, BINH] {
        assert_eq!(world.state(sent.row(who)).await, DeliveryState::Bounced, "{who}");
    }
    let third = until(&world, world.node, &watched, (WatchEvent::Idle, 1), End::Stopped).await;
    assert_eq!(count(&third, &BOUNCE), 0, "what came is not asked for again: {third:?}");
}

async fn listening(world: &World, speaks: Speaks) -> Listener {
    let settings = ListenerSettings {
        listen: postroad_testkit::loopback::address(),
        speaks,
        hostname: "mx.news.example.com".into(),
        domains: vec![builders::domain(BOUNCES)],
        unsubscribe: vec![builders::address("unsub@news.example.com")],
        octets_max: 100_000,
    };
    let policy =
        Settings { bounce_domains: vec![builders::domain(BOUNCES)], ..Settings::default() };
    let feedback = Arc::new(Feedback::new(world.store.clone(), policy));
    let clock = SimClock::at("2026-11-23T02:00:00Z");
    let now = Arc::new(move || postroad_model::Clock::now(&clock).0);
    Listener::start(settings, feedback, now).await.unwrap()
}

struct Client(BufReader<tokio::net::TcpStream>);

impl Client {
    async fn connect(listener: &Listener, hello: &str) -> Self {
        let stream = tokio::net::TcpStream::connect(listener.local_addr()).await.unwrap();
        let mut client = Self(BufReader::new(stream));
        assert_eq!(client.reply().await, "220");
        client.says(hello, "250").await;
        client
    }

    /// The code and enhanced status of the next reply.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            if line.as_bytes().get(3) == Some(&b' ') {
                let status = line[4..].split(' ').next().unwrap();
                let shown = status.split('.').count() == 3;
                return if shown { format!("{} {status}", &line[..3]) } else { line[..3].into() };
            }
            assert!(line.len() > 3, "the listener hung up");
        }
    }

    async fn says(&mut self, command: &str, expected: &str) {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let reply = self.reply().await;
        assert!(reply.starts_with(expected), "{command}: {reply}, not {expected}");
    }
}

#[tokio::test]
async fn the_listener_takes_mail_for_tags_of_ours_alone_and_answers_for_each() {
    let mut world = World::sqlite().await;
    world.people(&[AN, BINH, CHI]).await;
    let sent = world.send("one", &[]).await;
    for (speaks, hello, who) in [(Speaks::Lmtp, "LHLO x", AN), (Speaks::Smtp, "EHLO x", BINH)] {
        let listener = listening(&world, speaks).await;
        let mut client = Client::connect(&listener, hello).await;
        client.says("MAIL FROM:<>", "250").await;
        let tag = sent.return_path(who);
        for (recipient, reply) in [
            (format!("nobody@{BOUNCES}"), "550 5.1.1"),
            (format!("{}x@{BOUNCES}", tag.split('@').next().unwrap()), "550 5.1.1"),
            ("postmaster".to_owned(), "550 5.1.1"),
            ("somebody@elsewhere.test".to_owned(), "550 5.7.1"),
            (tag.replace(BOUNCES, "elsewhere.test"), "550 5.7.1"),
            ("unsub+x@news.example.com".to_owned(), "250"),
            (tag.to_uppercase(), "250"),
        ] {
            client.says(&format!("RCPT TO:<{recipient}>"), reply).await;
        }
        client.says("DATA", "354").await;
        let mail = String::from_utf8(dsn(&tag, who, "5.1.1", GONE, "")).unwrap();
        client.says(&format!("{mail}\r\n."), "250 2.0.0").await;
        if speaks == Speaks::Lmtp {
            assert_eq!(client.reply().await, "250 2.0.0", "one for each recipient");
        }
        client.says("QUIT", "221").await;
        assert_eq!(world.state(sent.row(who)).await, DeliveryState::Bounced);
        listener.stop().await;
    }
}

#[tokio::test]
async fn the_listener_accepts_nothing_that_it_cannot_record_or_that_is_too_large() {
    let mut world = World::sqlite().await;
    world.people(&[AN]).await;
    let sent = world.send("one", &[]).await;
    let listener = listening(&world, Speaks::Smtp).await;
    let mut client = Client::connect(&listener, "EHLO x").await;
    client.says("MAIL FROM:<> SIZE=200000", "552").await;
    client.says("MAIL FROM:<>", "250").await;
    client.says(&format!("RCPT TO:<{}>", sent.return_path(AN)), "250").await;
    client.says("DATA", "354").await;
    let large = format!("Subject: x\r\n\r\n{}", "x".repeat(150_000));
    client.says(&format!("{large}\r\n."), "552").await;
    world.store.close().await;
    client.says("MAIL FROM:<>", "250").await;
    client.says(&format!("RCPT TO:<{}>", sent.return_path(AN)), "250").await;
    client.says("DATA", "354").await;
    let mail = String::from_utf8(dsn(&sent.return_path(AN), AN, "5.1.1", GONE, "")).unwrap();
    client.says(&format!("{mail}\r\n."), "451 4.3.0").await;
}
