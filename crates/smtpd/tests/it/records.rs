//! Records, limits of size, and many clients at once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use postroad_smtpd::{
    Counting, JsonLines, Kind, MailFolder, RecordLog, RefuseAt, Server, ServerSettings, Sink,
    peak_in_window, presets,
};
use tokio::net::TcpStream;

use crate::client::{Client, MESSAGE, Sink as TestSink, Time};

#[tokio::test]
async fn an_acceptance_is_in_the_file_before_its_250() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let recorder = Arc::new(JsonLines::open(&path).unwrap());
    let time = Time::default();
    time.forward(1_234);
    let server = Server::sink(([127, 0, 0, 1], 0).into(), time.settings(), recorder).await.unwrap();
    let mut client = Client::new(TcpStream::connect(server.local_addr()).await.unwrap());
    client.send(MESSAGE).await;
    assert_eq!(client.codes(6).await.len(), 6);
    let log = RecordLog::read(&path).unwrap();
    let kinds: Vec<_> = log.records.iter().map(|r| (r.seq, r.kind, r.at_ms)).collect();
    assert_eq!(kinds, [(0, Kind::Rcpt, 1_234), (1, Kind::Dot, 1_234), (2, Kind::Accepted, 1_234)]);
    let accepted = log.of(Kind::Accepted).next().unwrap();
    assert_eq!(accepted.message_id.as_deref(), Some("<m1@y.test>"));
    assert_eq!(accepted.reference.as_deref(), Some("ref1"));
    assert_eq!(
        (accepted.mail_from.as_str(), &accepted.rcpts[..]),
        ("f@y.test", &["r@x.test".to_owned()][..])
    );
    assert_eq!(log.torn_lines, 0);
}

#[tokio::test]
async fn a_message_that_cannot_be_recorded_is_not_taken() {
    struct Full;
    impl postroad_smtpd::Recorder for Full {
        fn record(&self, _: &postroad_smtpd::Event<'_>) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let settings = Time::default().settings();
    let server = Server::sink(([127, 0, 0, 1], 0).into(), settings, Arc::new(Full)).await.unwrap();
    let mut client = Client::new(TcpStream::connect(server.local_addr()).await.unwrap());
    client.send(MESSAGE).await;
    assert_eq!(client.codes(6).await, ["220", "250", "250", "250", "354", "451"]);
}

#[tokio::test]
async fn a_kept_message_is_what_was_sent_without_the_stuffing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Time::default().settings();
    let sink = Sink::new(&settings, Arc::new(Counting::default()))
        .keeping(MailFolder::open(folder.path(), "1").unwrap());
    let server = Server::bind(([127, 0, 0, 1], 0).into(), settings, Arc::new(sink)).await.unwrap();
    let mut client = Client::new(TcpStream::connect(server.local_addr()).await.unwrap());
    client
        .send("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.test>\r\nDATA\r\nA: b\r\n\r\n..dot\r\n.\r\n")
        .await;
    assert_eq!(client.codes(6).await.last().map(String::as_str), Some("250"));
    let kept = std::fs::read(folder.path().join("new/1.00000000.eml")).unwrap();
    assert_eq!(kept, b"A: b\r\n\r\n.dot\r\n");
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_refused_and_the_next_command_obeyed() {
    let sink = TestSink::start(Time::default().settings()).await;
    let mut client = sink.client().await;
    let mut bytes = vec![b'a'; 10 * 1024 * 1024];
    bytes.extend_from_slice(b"\r\nNOOP\r\n");
    client.send(bytes).await;
    assert_eq!(client.codes(3).await, ["220", "500", "250"]);
}

#[tokio::test]
async fn a_body_of_one_endless_line_is_552_and_the_connection_goes_on() {
    let mut settings = Time::default().settings();
    settings.limits.message_bytes_max = 100_000;
    let sink = TestSink::start(settings).await;
    let mut client = sink.client().await;
    client.send("EHLO c\r\nMAIL FROM:<f@y.test>\r\nRCPT TO:<r@x.test>\r\nDATA\r\n").await;
    client.send(vec![b'a'; 5_000_000]).await;
    client.send("\r\n.\r\nNOOP\r\n").await;
    let codes = client.codes(7).await;
    assert_eq!(codes, ["220", "250", "250", "250", "354", "552", "250"]);
    assert_eq!(sink.memory.of(Kind::Accepted).len(), 0);
}

/// The judge of the project against the server's own quota: they must agree, with clients racing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_window_holds_more_than_gmail_takes() {
    let now = Arc::new(AtomicU64::new(0));
    let clock = {
        let now = Arc::clone(&now);
        // Each look at the clock is a minute later.
        Arc::new(move || (now.fetch_add(1, Ordering::SeqCst) * 60_000).cast_signed())
    };
    let settings = ServerSettings {
        behaviour: Arc::new(presets::gmail(100, RefuseAt::Rcpt)),
        ..ServerSettings::new("gmail", clock)
    };
    let sink = TestSink::start(settings).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = sink.client().await;
        clients.push(tokio::spawn(async move {
            let one = "MAIL FROM:<f@y.test>\r\nRCPT TO:<r@x.test>\r\nRSET\r\n";
            client.send(format!("EHLO c\r\n{}", one.repeat(200))).await;
            client.codes(2 + 600).await
        }));
    }
    for client in clients {
        assert_eq!(client.await.unwrap().len(), 602);
    }
    let rcpts = sink.memory.of(Kind::Rcpt);
    assert_eq!(rcpts.len(), 1_600);
    let taken: Vec<_> = rcpts.iter().filter(|r| r.reply_code() == Some(250)).collect();
    let peak = peak_in_window(taken.iter().map(|r| r.at_ms), 24 * 3_600_000);
    assert!(peak <= 100, "{peak}");
    assert!(taken.len() > 100, "the window rolls on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counting_sink_loses_no_message_of_many_clients() {
    let counting = Arc::new(Counting::default());
    let settings = Time::default().settings();
    let server =
        Server::sink(([127, 0, 0, 1], 0).into(), settings, counting.clone()).await.unwrap();
    let body = "0123456789abcdef\r\n".repeat(100);
    let one = format!("MAIL FROM:<f@y.test>\r\nRCPT TO:<r@x.test>\r\nDATA\r\n{body}.\r\n");
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::new(TcpStream::connect(server.local_addr()).await.unwrap());
        let one = one.clone();
        clients.push(tokio::spawn(async move {
            client.send("EHLO c\r\n").await;
            client.codes(2).await;
            for _ in 0..50 {
                client.send(one.repeat(4)).await;
                assert_eq!(client.codes(16).await[15], "250");
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!((counting.accepted(), counting.dots(), counting.rcpts()), (1_600, 1_600, 1_600));
    assert_eq!(counting.bytes(), 1_600 * 1_800);
}
