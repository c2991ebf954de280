//! The wire: TCP or TLS, with a bound on what a server may send per command and on how long it may take.
//!
//! Below both protocols. The allowance is what keeps a hostile or broken server from filling the memory: the
//! libraries above buffer whole answers. RFC 8314 section 3 (TLS from the first byte), RFC 2595 (STARTTLS, STLS).
//! What must always hold: nothing said in clear before TLS counts after it; clear text goes to loopback alone.

use crate::access::Access;
use crate::{Error, Result};
use postroad_model::relay::TlsMode;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// What any answer but a message may take up.
pub(crate) const ALLOWANCE: u64 = 32 * 1024 * 1024;

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    wire: Wire,
    allowance: u64,
}

impl Link {
    /// Lets the server send so much from now on.
    pub(crate) fn allow(&mut self, octets: u64) {
        self.allowance = octets;
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.allowance == 0 {
            return Poll::Ready(Err(io::Error::other("the answer is longer than allowed")));
        }
        let before = buf.filled().len();
        let polled = match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        let read = buf.filled().len().saturating_sub(before) as u64;
        self.allowance = self.allowance.saturating_sub(read);
        polled
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// The server's name in messages.
pub(crate) fn server(access: &Access) -> String {
    format!("{}:{}", access.endpoint.host, access.endpoint.port)
}

/// Connects, with TLS at once where the endpoint wants it.
pub(crate) async fn dial(access: &Access) -> Result<Link> {
    let within = access.timeouts.connect;
    let tcp = connect(access, within).await?;
    let peer = tcp.peer_addr().map_err(|e| unreachable(access, &e))?;
    let link = Link { wire: Wire::Plain(tcp), allowance: ALLOWANCE };
    match access.endpoint.tls {
        TlsMode::Implicit => encrypt(access, link).await,
        TlsMode::Starttls => Ok(link),
        TlsMode::None if peer.ip().is_loopback() => Ok(link),
        TlsMode::None => Err(Error::Tls {
            server: server(access),
            why: "logins in clear text are for loopback addresses only".into(),
            advice: "set tls = \"implicit\" (port 993 or 995) or \"starttls\"",
        }),
    }
}

async fn connect(access: &Access, within: Duration) -> Result<TcpStream> {
    let host = (access.endpoint.host.as_str(), access.endpoint.port);
    let silent =
        |doing: &str| Error::Silent { server: server(access), doing: doing.into(), within };
    let found = timeout(within, tokio::net::lookup_host(host))
        .await
        .map_err(|_| silent("be found in DNS"))?;
    let addresses: Vec<SocketAddr> = found.map_err(|e| unreachable(access, &e))?.collect();
    let mut last = None;
    for address in addresses {
        match timeout(within, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Without it commands wait for the server's delayed ACK; a refusal costs only time.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(error)) => last = Some(unreachable(access, &error)),
            Err(_) => last = Some(silent("answer")),
        }
    }
    Err(last.unwrap_or_else(|| Error::Unreachable {
        server: server(access),
        why: "the host has no address".into(),
        advice: "check host",
    }))
}

fn unreachable(access: &Access, error: &io::Error) -> Error {
    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
    let advice = if refused {
        "check host and port: nothing listens there"
    } else {
        "check host, port and network"
    };
    Error::Unreachable { server: server(access), why: error.to_string(), advice }
}

/// The TLS handshake.
pub(crate) async fn encrypt(access: &Access, link: Link) -> Result<Link> {
    let failed = |why: String, advice| Error::Tls { server: server(access), why, advice };
    let Wire::Plain(tcp) = link.wire else { return Ok(link) };
    let name = ServerName::try_from(access.endpoint.host.clone())
        .map_err(|e| failed(e.to_string(), "host must be a name that a certificate can have"))?;
    let within = access.timeouts.connect;
    let shaken = timeout(within, access.tls.connect(name, tcp)).await.map_err(|_| {
        Error::Silent { server: server(access), doing: "finish the TLS handshake".into(), within }
    })?;
    let tls = shaken.map_err(|e| failed(e.to_string(), advice(&e)))?;
    Ok(Link { wire: Wire::Tls(Box::new(tls)), allowance: ALLOWANCE })
}

fn advice(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "check host; for an authority of your own set ca_file; is this machine's clock right?"
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "the port speaks no TLS from the first byte: try tls = \"starttls\""
        }
        Some(_) | None => "check port and tls",
    }
}
