//! Why a relay could not be reached, in the words that the operator needs.
//!
//! Returned by the dial, carried by `OpenFailed`; the engine classifies it by `phase` and `what`, people read its
//! text: host, port, phase, cause, next step. It holds no secrets: only what the relay said.

use std::{fmt, io, net::SocketAddr, time::Duration};

use postroad_model::{Reply, reply::Phase};
use rustls::{CertificateError, Error as TlsError};

/// A dial that failed.
#[derive(Clone, Debug)]
pub struct DialFault {
    /// The relay's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The address that was tried; absent when none was found.
    pub address: Option<SocketAddr>,
    /// How far it came.
    pub phase: Phase,
    /// What went wrong.
    pub what: DialWhat,
}

/// What went wrong in a dial.
#[derive(Clone, Debug)]
pub enum DialWhat {
    /// The socket or the name lookup failed.
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// Its text.
        text: String,
    },
    /// Nothing came in time.
    Timeout(Duration),
    /// The handshake failed, or the certificate is not good.
    Tls(Box<TlsError>),
    /// The relay refused, with every digit.
    Reply(Reply),
    /// What was said is no SMTP.
    Malformed(String),
    /// The relay does not offer what we need, or we must not use what it offers.
    Unsupported(String),
}

impl DialWhat {
    pub(super) fn io(error: &io::Error) -> Self {
        Self::Io { kind: error.kind(), text: error.to_string() }
    }

    fn advice(&self, phase: Phase) -> &'static str {
        match (self, phase) {
            (Self::Io { kind: io::ErrorKind::ConnectionRefused, .. }, _) => {
                "check host and port: nothing listens there"
            }
            (Self::Io { .. } | Self::Timeout(_), Phase::Connect) => {
                "check host, port and network: many hosters block outgoing SMTP"
            }
            (Self::Timeout(_), Phase::Greeting) => {
                "a port that wants TLS from the first byte stays silent: check `tls` and the port"
            }
            (Self::Io { .. } | Self::Timeout(_), _) => {
                "try again; if it stays, the relay's operator can say why it hangs up"
            }
            (Self::Tls(error), _) => tls_advice(error),
            (Self::Reply(_), Phase::Auth) => {
                "check user name and password or token; some operators want an app password"
            }
            (Self::Reply(_), _) => "the relay says why; its operator can lift it",
            (Self::Malformed(_), _) => "check that this is an SMTP port, and `tls`",
            (Self::Unsupported(_), _) => "check `tls`, the port and the way to log in",
        }
    }
}

fn tls_advice(error: &TlsError) -> &'static str {
    use CertificateError as C;
    const UNFIT: &str = "the relay's certificate or TLS settings do not fit: its operator can tell";
    let TlsError::InvalidCertificate(certificate) = error else {
        // A port that waits for STARTTLS greets in clear text, which is no TLS record.
        let clear = matches!(error, TlsError::InvalidMessage(_));
        return if clear {
            "the port speaks no TLS: `tls` may have to be \"starttls\""
        } else {
            UNFIT
        };
    };
    if matches!(certificate, C::Expired | C::ExpiredContext { .. }) {
        "the relay's certificate has expired: its operator must renew it (is this machine's clock right?)"
    } else if matches!(certificate, C::NotValidYet | C::NotValidYetContext { .. }) {
        "the relay's certificate is not valid yet: is this machine's clock right?"
    } else if matches!(certificate, C::NotValidForName | C::NotValidForNameContext { .. }) {
        "the certificate is for another name: set `host` to the name in it"
    } else if matches!(certificate, C::UnknownIssuer | C::BadSignature) {
        "no trusted authority signed the certificate: for an own authority set `ca_file`"
    } else {
        UNFIT
    }
}

impl fmt::Display for DialWhat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { text, .. } => f.write_str(text),
            Self::Timeout(waited) => write!(f, "no answer for {} s", waited.as_secs()),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Reply(reply) => write!(f, "the relay answered {reply}"),
            Self::Malformed(text) | Self::Unsupported(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for DialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open a connection to {}:{}", self.host, self.port)?;
        if let Some(address) = self.address {
            write!(f, " ({})", address.ip())?;
        }
        let doing = crate::connection::phase_name(self.phase);
        let advice = match self.address {
            Some(_) => self.what.advice(self.phase),
            None => "check the host name and this machine's DNS",
        };
        write!(f, ", at {doing}: {}; {advice}", self.what)
    }
}

impl std::error::Error for DialFault {}
