//! An engine of a few lines, and the servers that it talks to.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use postroad_model::{
    Clock as _, DeliveryId, LeaseToken, Timestamp,
    relay::{Auth, ConnectionLimits, Endpoint, Habits, Relay, Senders, TlsMode},
};
use postroad_smtpd::{Behaviour, Kind, Memory, Server, ServerSettings, Tls, tls_from_pem};
use postroad_testkit::{SimClock, certificate::Authority};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use crate::{
    connection::{Line, open, phase_name, timeouts::Timeouts},
    dial::{Credentials, Dial, Local, tls_trusting_only},
    permit::Permit,
    wire::{Body, Command, ConnId, Event, Outgoing},
};

/// Far longer than anything here takes: a test that waits so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const NOW: &str = "2026-11-30T08:00:00Z";

pub(super) fn relay(address: SocketAddr, tls: TlsMode) -> Relay {
    Relay {
        name: "test".into(),
        profile: "generic".into(),
        endpoint: Endpoint { host: "localhost".into(), port: address.port(), tls },
        ca_pem: None,
        auth: Auth::None,
        senders: Senders::Any,
        quota_group: None,
        limits: Vec::new(),
        connections: ConnectionLimits {
            max_connections: 1,
            max_messages_per_connection: None,
            idle: PATIENCE,
        },
        max_message_bytes: None,
        habits: Habits::default(),
        reply_rules: Vec::new(),
        bulk_allowed: true,
    }
}

pub(super) fn target(address: SocketAddr, tls: TlsMode, authority: &Authority) -> Dial {
    Dial {
        relay: Arc::new(relay(address, tls)),
        addresses: vec![address],
        credentials: Credentials::None,
        tls: tls_trusting_only(authority.certificate_pem().as_bytes()).unwrap(),
        timeouts: Timeouts::default(),
        local: Local::new("client.test", None),
    }
}

/// Our sink, as told.
pub(super) struct Sink {
    pub(super) server: Server,
    pub(super) memory: Arc<Memory>,
    authority: Authority,
    mode: TlsMode,
}

impl Sink {
    pub(super) async fn scripted(behaviour: &str) -> Self {
        Self::start(behaviour, TlsMode::None).await
    }

    pub(super) async fn start(behaviour: &str, mode: TlsMode) -> Self {
        let behaviour: Behaviour = toml::from_str(behaviour).unwrap();
        let authority = Authority::new();
        let leaf = authority.issue("localhost");
        let (certificate, key) = (leaf.certificate_pem.as_bytes(), leaf.key_pem.as_bytes());
        let config = tls_from_pem(certificate, key).unwrap();
        let settings = ServerSettings {
            behaviour: Arc::new(behaviour),
            tls: match mode {
                TlsMode::None => Tls::Off,
                TlsMode::Starttls => Tls::StartTlsRequired(config),
                TlsMode::Implicit => Tls::Implicit(config),
            },
            ..ServerSettings::new("sink", Arc::new(|| 0))
        };
        let memory = Arc::new(Memory::default());
        let server = Server::sink(([127, 0, 0, 1], 0).into(), settings, memory.clone());
        Self { server: server.await.unwrap(), memory, authority, mode }
    }

    pub(super) fn target(&self) -> Dial {
        target(self.server.local_addr(), self.mode, &self.authority)
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.memory.of(kind).len()
    }
}

/// A row with a body of so many lines.
pub(super) fn row_of(id: i64, lines: usize) -> Box<Outgoing> {
    let message = format!("Message-ID: <{id}@y.test>\r\n\r\n{}", ".a line\r\n".repeat(lines));
    Box::new(Outgoing {
        id: DeliveryId { bucket: 1, id },
        mail_from: format!("bounce+{id}@y.test"),
        rcpt: format!("r{id}@x.test"),
        size: message.len() as u64,
        body: Body::stuffed(message.into_bytes()),
        needs_smtputf8: false,
        use_by: None,
        envid: None,
        orcpt: None,
    })
}

pub(super) fn row(id: i64) -> Box<Outgoing> {
    row_of(id, 20)
}

pub(super) fn permit(id: i64, expires_at: Timestamp) -> Permit {
    Permit::granted(DeliveryId { bucket: 1, id }, LeaseToken(1), expires_at)
}

/// One end of a connection, held by a test.
pub(super) struct Talk {
    pub(super) commands: Option<mpsc::Sender<Command>>,
    events: mpsc::UnboundedReceiver<Vec<Event>>,
    seen: VecDeque<Event>,
    pub(super) clock: SimClock,
}

/// The line of a connection and the test's end of it.
pub(super) fn line() -> (Line, Talk) {
    let (commands, commanded) = mpsc::channel(4);
    let (events, told) = mpsc::unbounded_channel();
    let clock = SimClock::at(NOW);
    let line =
        Line { conn: ConnId(1), commands: commanded, events, clock: Arc::new(clock.clone()) };
    (line, Talk { commands: Some(commands), events: told, seen: VecDeque::new(), clock })
}

impl Talk {
    pub(super) fn start(target: Dial) -> Self {
        let (line, talk) = line();
        tokio::spawn(open(target, line));
        talk
    }

    pub(super) async fn send(&self, command: Command) {
        // A connection that is over is met again at the next event.
        let _sent = self.commands.as_ref().expect("not yet dropped").send(command).await;
    }

    pub(super) async fn offer(&self, row: Box<Outgoing>) {
        self.send(Command::Offer(row)).await;
    }

    /// A permit that is good for a minute.
    pub(super) async fn dot(&self, id: i64, next: Option<Box<Outgoing>>) {
        let expires_at = self.clock.now().plus(Duration::from_secs(60));
        self.send(Command::Dot { permit: permit(id, expires_at), next }).await;
    }

    /// The next event in short, `None` when the connection's task is done.
    pub(super) async fn next(&mut self) -> Option<String> {
        while self.seen.is_empty() {
            let batch = timeout(PATIENCE, self.events.recv()).await;
            self.seen.extend(batch.expect("the connection says nothing")?);
        }
        self.seen.pop_front().map(|event| short(&event))
    }

    pub(super) async fn expect(&mut self, events: &[&str]) {
        for expected in events {
            assert_eq!(self.next().await.as_deref(), Some(*expected), "of {events:?}");
        }
    }

    /// The rest of the story.
    pub(super) async fn expect_end(&mut self, events: &[&str]) {
        self.expect(events).await;
        assert_eq!(self.next().await, None, "after {events:?}");
    }
}

/// An event in few words.
pub(super) fn short(event: &Event) -> String {
    match event {
        Event::Opened { .. } => "opened".into(),
        Event::OpenFailed { fault, .. } => format!("open failed at {}", phase_name(fault.phase)),
        Event::Held { id, .. } => format!("held {}", id.id),
        Event::Answered { id, reply, .. } => format!("answered {} {}", id.id, reply.code),
        Event::EarlyReply { id, reply, .. } => format!("early {} {}", id.id, reply.code),
        Event::Refused { id, phase, reply, rcpt, .. } => {
            format!("refused {} {} {} rcpt {rcpt:?}", id.id, phase_name(*phase), reply.code)
        }
        Event::Lapsed { id, .. } => format!("lapsed {}", id.id),
        Event::Unwritten { id, why, .. } => format!("unwritten {} {why:?}", id.id),
        Event::HandedBack { id, .. } => format!("handed back {}", id.id),
        Event::Broken { id, phase, dot, rcpt, next, .. } => {
            let next = next.map(|next| format!(", next {} {:?}", next.id.id, next.rcpt));
            let at = phase_name(*phase);
            format!("broken {} {at}: dot {dot:?}, rcpt {rcpt:?}{}", id.id, next.unwrap_or_default())
        }
        Event::Closed { reply, .. } => match reply {
            Some(reply) => format!("closed {}", reply.code),
            None => "closed".into(),
        },
    }
}

/// Sends rows 1 to `rows` as an engine would, each permit at once; the story without `opened` and `held`.
pub(super) async fn story(target: Dial, rows: i64) -> Vec<String> {
    let mut talk = Talk::start(target);
    let mut rows = (1..=rows).map(row);
    let (mut told, mut on_wire) = (Vec::new(), 0_usize);
    while let Some(batch) = timeout(PATIENCE, talk.events.recv()).await.expect("silence") {
        for event in &batch {
            if let Event::Held { id, .. } = event {
                let next = rows.next();
                on_wire += usize::from(next.is_some());
                talk.dot(id.id, next).await;
            } else if !matches!(event, Event::Opened { .. }) {
                on_wire = on_wire.saturating_sub(1);
                told.push(short(event));
            }
        }
        let over = matches!(
            batch.last(),
            Some(Event::Closed { .. } | Event::Broken { .. } | Event::OpenFailed { .. })
        );
        if on_wire == 0 && !over {
            match rows.next() {
                Some(row) => {
                    on_wire = 1;
                    talk.offer(row).await;
                }
                None => talk.send(Command::Quit).await,
            }
        }
    }
    told
}

/// A server that says and reads exactly what the test wants.
pub(super) struct Peer(pub(super) TcpStream);

/// Greets and offers these keywords; the test goes on where the client is idle.
pub(super) async fn peer(keywords: &str) -> (Peer, Talk) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut talk = Talk::start(target(address, TlsMode::None, &Authority::new()));
    let (stream, _) = listener.accept().await.unwrap();
    let mut peer = Peer(stream);
    peer.say("220 peer.test\r\n").await;
    peer.hears("EHLO client.test\r\n").await;
    let lines: Vec<_> = keywords.split_whitespace().collect();
    let mut reply = String::from("250-peer.test\r\n");
    for line in lines {
        reply.push_str(&format!("250-{line}\r\n"));
    }
    reply.push_str("250 HELP\r\n");
    peer.say(&reply).await;
    talk.expect(&["opened"]).await;
    (peer, talk)
}

impl Peer {
    pub(super) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Exactly these bytes come next.
    pub(super) async fn hears(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        let read = timeout(PATIENCE, self.0.read_exact(&mut bytes)).await;
        read.expect("the client says nothing").unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    /// Everything until the client closes.
    pub(super) async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        read.expect("the client does not close").unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// MAIL, RCPT and DATA of a row where nothing but PIPELINING is offered.
pub(super) fn envelope(id: i64) -> String {
    format!("MAIL FROM:<bounce+{id}@y.test>\r\nRCPT TO:<r{id}@x.test>\r\nDATA\r\n")
}

pub(super) fn body(row: &Outgoing) -> String {
    String::from_utf8(row.body.as_bytes().to_vec()).unwrap()
}
