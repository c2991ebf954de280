//! Opens a connection to a relay: TCP, greeting, EHLO, TLS, EHLO again, AUTH.
//!
//! Called by `connection::open`, by `test` and by checks of the configuration. mail-send connects, does the TLS
//! handshake and encodes the logins; then its stream is ours. Replies are read by our own reader from the greeting
//! on, so that no digit and no leftover byte is lost. RFC 5321 sections 3.1 and 5.1 (next address), RFC 3207 and
//! RFC 8314 (TLS), RFC 4954 (AUTH). What must always hold: certificates are verified; nothing said in clear before
//! STARTTLS counts after it; a refused login is not repeated at another address; TCP_NODELAY and keepalive are on. It
//! fetches no tokens, reads no files, and does not try again.

mod fault;
mod login;
mod tls;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use mail_send::{Error as MailSendError, SmtpClient};
use postroad_model::{
    Reply,
    relay::{Endpoint, Relay, TlsMode},
    reply::Phase,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use fault::{DialFault, DialWhat};
pub use login::Credentials;
pub use tls::{TlsSetupError, tls_trusting, tls_trusting_only};

use crate::connection::{
    Connection,
    capabilities::Capabilities,
    link::Link,
    stream::{Stream, prepare},
    timeouts::Timeouts,
};
use login::{Wire, login};

/// How this machine presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    helo: String,
    bind: Option<IpAddr>,
}

impl Local {
    /// The name in EHLO: a domain or an address literal; anything that would break the command becomes `localhost`.
    #[must_use]
    pub fn new(helo: &str, bind: Option<IpAddr>) -> Self {
        let good = !helo.is_empty() && helo.bytes().all(|b| b.is_ascii_graphic());
        Self { helo: if good { helo } else { "localhost" }.to_owned(), bind }
    }
}

/// All that opens a connection.
#[derive(Clone)]
pub struct Dial {
    /// The relay.
    pub relay: Arc<Relay>,
    /// Its addresses in the order of the tries; [`resolve`] finds them, the caller may turn them.
    pub addresses: Vec<SocketAddr>,
    /// How to log in.
    pub credentials: Credentials,
    /// The authorities that are trusted: the system's, or `relay.ca_pem` alone ([`tls_trusting_only`]).
    pub tls: TlsConnector,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// Name and address of this side.
    pub local: Local,
}

/// Where a dial failed, without its place.
struct Failed {
    phase: Phase,
    what: DialWhat,
}

fn at<E: Into<DialWhat>>(phase: Phase) -> impl Fn(E) -> Failed {
    move |what| Failed { phase, what: what.into() }
}

impl Failed {
    fn at(self, endpoint: &Endpoint, address: Option<SocketAddr>) -> Box<DialFault> {
        let Self { phase, what } = self;
        Box::new(DialFault {
            host: endpoint.host.clone(),
            port: endpoint.port,
            address,
            phase,
            what,
        })
    }

    /// RFC 5321 section 5.1; a login that was refused here would be refused, and counted, there too.
    fn wants_next_address(&self) -> bool {
        self.phase != Phase::Auth
    }
}

/// The addresses of a relay's host, in the resolver's order.
///
/// # Errors
/// When there are none, or they could not be found in time.
pub async fn resolve(
    endpoint: &Endpoint,
    timeouts: &Timeouts,
) -> Result<Vec<SocketAddr>, Box<DialFault>> {
    let fail = |what| Failed { phase: Phase::Connect, what }.at(endpoint, None);
    let lookup = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
    let found = tokio::time::timeout(timeouts.connect, lookup).await;
    let found = found.map_err(|_| fail(DialWhat::Timeout(timeouts.connect)))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.map_err(|error| fail(DialWhat::io(&error)))? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(fail(no_address())) } else { Ok(addresses) }
}

fn no_address() -> DialWhat {
    let kind = std::io::ErrorKind::NotFound;
    DialWhat::Io { kind, text: "the host has no address".into() }
}

/// Tries the addresses in turn until one of them serves.
///
/// # Errors
/// The fault that came furthest, if none does.
pub async fn dial(target: &Dial) -> Result<Connection, Box<DialFault>> {
    let endpoint = &target.relay.endpoint;
    let mut furthest: Option<(Failed, SocketAddr)> = None;
    for address in &target.addresses {
        match dial_one(target, *address).await {
            Ok(connection) => return Ok(connection),
            Err(failed) if !failed.wants_next_address() => {
                return Err(failed.at(endpoint, Some(*address)));
            }
            Err(failed) => {
                tracing::debug!(relay = %target.relay.name, %address, what = %failed.what, "an address failed");
                let further =
                    |(known, _): &(Failed, SocketAddr)| known.phase as u8 <= failed.phase as u8;
                if furthest.as_ref().is_none_or(further) {
                    furthest = Some((failed, *address));
                }
            }
        }
    }
    Err(match furthest {
        Some((failed, address)) => failed.at(endpoint, Some(address)),
        None => Failed { phase: Phase::Connect, what: no_address() }.at(endpoint, None),
    })
}

async fn dial_one(target: &Dial, address: SocketAddr) -> Result<Connection, Failed> {
    let Dial { relay, timeouts, local, .. } = target;
    let tcp = connect(target, address).await.map_err(at(Phase::Connect))?;
    let mut link = match relay.endpoint.tls {
        TlsMode::Implicit => encrypt(target, tcp).await?,
        TlsMode::Starttls | TlsMode::None => Link::new(Stream::Plain(tcp)),
    };
    link.reply(timeouts.greeting).await.map_err(at(Phase::Greeting))?;
    expect(220, Phase::Greeting, link.latest())?;
    let mut capabilities = hello(&mut link, local, timeouts).await?;
    if relay.endpoint.tls == TlsMode::Starttls {
        link = starttls(target, link, &capabilities).await?;
        capabilities = hello(&mut link, local, timeouts).await?;
    }
    let wire = match &link.stream {
        Stream::Plain(_) if !address.ip().is_loopback() => Wire::Open,
        Stream::Plain(_) | Stream::Tls(_) => Wire::Private,
    };
    login(&mut link, &capabilities, &target.credentials, wire, timeouts.auth)
        .await
        .map_err(at(Phase::Auth))?;
    Ok(Connection { link, capabilities, address })
}

async fn connect(target: &Dial, address: SocketAddr) -> Result<TcpStream, DialWhat> {
    let within = target.timeouts.connect;
    let connected = match target.local.bind.filter(|ip| ip.is_ipv4() == address.is_ipv4()) {
        Some(ip) => SmtpClient::connect_using(ip, address, within).await,
        None => SmtpClient::connect(address, within).await,
    };
    let tcp = connected.map_err(|error| explain(error, within))?.stream;
    prepare(&tcp).map_err(|error| DialWhat::io(&error))?;
    Ok(tcp)
}

async fn encrypt(target: &Dial, tcp: TcpStream) -> Result<Link, Failed> {
    let within = target.timeouts.tls;
    let client = SmtpClient { stream: tcp, timeout: within };
    let client = client
        .into_tls(&target.tls, &target.relay.endpoint.host)
        .await
        .map_err(|error| Failed { phase: Phase::StartTls, what: explain(error, within) })?;
    Ok(Link::new(Stream::Tls(Box::new(client.stream))))
}

async fn starttls(
    target: &Dial,
    mut link: Link,
    capabilities: &Capabilities,
) -> Result<Link, Failed> {
    let fail = |what| Failed { phase: Phase::StartTls, what };
    if !capabilities.starttls {
        let text = "the relay does not offer STARTTLS, and without TLS nothing is sent";
        return Err(fail(DialWhat::Unsupported(text.into())));
    }
    let (mut written, within) = (0, target.timeouts.ehlo);
    link.write(b"STARTTLS\r\n", &mut written, within).await.map_err(at(Phase::StartTls))?;
    link.reply(within).await.map_err(at(Phase::StartTls))?;
    expect(220, Phase::StartTls, link.latest())?;
    // Whoever sits on the wire could have put replies in front of the encrypted ones.
    if link.reader.has_leftovers() {
        let text =
            "something was said in clear text after STARTTLS: somebody may tamper with the wire";
        return Err(fail(DialWhat::Malformed(text.into())));
    }
    match link.stream {
        Stream::Plain(tcp) => encrypt(target, tcp).await,
        Stream::Tls(_) => Ok(link),
    }
}

/// EHLO, or HELO where that is not known (RFC 5321 section 3.2).
async fn hello(
    link: &mut Link,
    local: &Local,
    timeouts: &Timeouts,
) -> Result<Capabilities, Failed> {
    for verb in ["EHLO", "HELO"] {
        let (command, mut written) = (format!("{verb} {}\r\n", local.helo), 0);
        let wrote = link.write(command.as_bytes(), &mut written, timeouts.ehlo).await;
        wrote.map_err(at(Phase::Ehlo))?;
        link.reply(timeouts.ehlo).await.map_err(at(Phase::Ehlo))?;
        let reply = link.latest();
        if verb == "EHLO" && matches!(reply.code, 500 | 502) {
            continue;
        }
        expect(250, Phase::Ehlo, reply.clone())?;
        return Ok(Capabilities::of_ehlo(&reply));
    }
    Err(Failed { phase: Phase::Ehlo, what: DialWhat::Reply(link.latest()) })
}

fn expect(code: u16, phase: Phase, reply: Reply) -> Result<(), Failed> {
    if reply.code == code { Ok(()) } else { Err(Failed { phase, what: DialWhat::Reply(reply) }) }
}

/// What mail-send says, in our words.
fn explain(error: MailSendError, within: std::time::Duration) -> DialWhat {
    match error {
        MailSendError::Io(error) => DialWhat::io(&error),
        MailSendError::Tls(error) => DialWhat::Tls(error),
        MailSendError::Timeout => DialWhat::Timeout(within),
        MailSendError::InvalidTLSName => {
            DialWhat::Unsupported("the host is no name that a certificate can have".into())
        }
        // Its own replies, logins and messages: none of them is used here.
        error @ (MailSendError::Base64(_)
        | MailSendError::Auth(_)
        | MailSendError::UnparseableReply
        | MailSendError::UnexpectedReply(_)
        | MailSendError::AuthenticationFailed(_)
        | MailSendError::MissingCredentials
        | MailSendError::MissingMailFrom
        | MailSendError::MissingRcptTo
        | MailSendError::UnsupportedAuthMechanism
        | MailSendError::MissingStartTls) => DialWhat::Malformed(error.to_string()),
    }
}
