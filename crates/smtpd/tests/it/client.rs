//! A client that does exactly what it is told, and a server whose clock stands still until moved.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use postroad_smtpd::{Behaviour, Memory, Server, ServerSettings};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Far longer than anything here takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn forward(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn settings(&self) -> ServerSettings {
        let clock = Arc::clone(&self.0);
        ServerSettings::new("sink", Arc::new(move || clock.load(Ordering::SeqCst)))
    }
}

pub struct Sink {
    pub server: Server,
    pub memory: Arc<Memory>,
}

impl Sink {
    pub async fn start(settings: ServerSettings) -> Self {
        let memory = Arc::new(Memory::default());
        let server = Server::sink(([127, 0, 0, 1], 0).into(), settings, memory.clone());
        Self { server: server.await.unwrap(), memory }
    }

    pub async fn scripted(behaviour: &str) -> Self {
        let behaviour: Behaviour = toml::from_str(behaviour).unwrap();
        let settings = Time::default().settings();
        Self::start(ServerSettings { behaviour: Arc::new(behaviour), ..settings }).await
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub async fn client(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.addr()).await.unwrap())
    }
}

pub struct Client<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    pub fn into_inner(self) -> S {
        self.stream.into_inner()
    }

    /// One write.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has closed is met again at the next line read.
        let _sent = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }

    /// The next line without its CRLF; what ended the connection if there is none.
    pub async fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_until(b'\n', &mut line)).await;
        match read.expect("the server says nothing") {
            Ok(0) => Err("closed".to_owned()),
            Ok(_) if !line.ends_with(b"\r\n") => {
                Err(format!("cut: {}", String::from_utf8_lossy(&line)))
            }
            Ok(_) => Ok(String::from_utf8_lossy(&line[..line.len() - 2]).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                Err("reset".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// The last line of the next reply.
    pub async fn reply(&mut self) -> Result<String, String> {
        loop {
            let line = self.line().await?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line);
            }
        }
    }

    /// The codes of the next replies; stops at the end of the connection.
    pub async fn codes(&mut self, count: usize) -> Vec<String> {
        let mut codes = Vec::new();
        for _ in 0..count {
            match self.reply().await {
                Ok(line) => codes.push(line.chars().take(3).collect()),
                Err(end) => {
                    codes.push(end);
                    break;
                }
            }
        }
        codes
    }

    /// Everything until the server closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        read.expect("the server does not close").unwrap();
        rest
    }
}

/// A whole message, pipelined: EHLO to the final dot.
pub const MESSAGE: &str = "EHLO c.test\r\nMAIL FROM:<f@y.test>\r\nRCPT TO:<r@x.test>\r\nDATA\r\n\
     Message-ID: <m1@y.test>\r\nX-Postroad-Ref: ref1\r\n\r\nhello\r\n.\r\n";
