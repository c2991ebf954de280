//! How a server is set up: name, TLS, logins, limits, behaviour, clock.
//!
//! Built by cli (from configuration and flags), by tests and by the bounce listener. Every limit has a
//! number; none means "unlimited".

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{auth::Logins, behaviour::Behaviour};

/// The wall clock, in milliseconds since 1970. The system's own lives in cli, a fake one in tests.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and a reply per recipient after the dot.
    Lmtp,
}

/// Whether and how the connection is encrypted.
#[derive(Clone, Debug, Default)]
pub enum Tls {
    /// Plain text only.
    #[default]
    Off,
    /// STARTTLS is offered, and mail is taken without it too.
    StartTls(Arc<rustls::ServerConfig>),
    /// STARTTLS is offered, and MAIL before it is refused with 530.
    StartTlsRequired(Arc<rustls::ServerConfig>),
    /// TLS from the first byte (port 465).
    Implicit(Arc<rustls::ServerConfig>),
}

/// What one client, and all of them, may use up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest command line, CRLF included; RFC 4954 section 4 wants 12,288 for AUTH.
    pub line_bytes_max: usize,
    /// Largest message; more is answered with 552.
    pub message_bytes_max: u64,
    /// Recipients of one message; more are answered with 452 4.5.3.
    pub recipients_max: usize,
    /// Open connections; more are answered with 421.
    pub connections_max: usize,
    /// Commands that the server could not make sense of, before it hangs up.
    pub errors_max: u32,
    /// A client that says nothing for so long is sent away with 421.
    pub idle_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 12_288,
            message_bytes_max: 50 * 1024 * 1024,
            recipients_max: 1_000,
            connections_max: 2_000,
            errors_max: 100,
            idle_ms_max: 300_000,
        }
    }
}

impl Limits {
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms_max)
    }
}

/// All that a server needs besides its address and its handler.
#[derive(Clone)]
pub struct ServerSettings {
    /// Its name in records and logs.
    pub name: String,
    /// What it calls itself in the greeting.
    pub hostname: String,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Encryption.
    pub tls: Tls,
    /// Who may log in, and whether they must.
    pub logins: Logins,
    /// Bounds.
    pub limits: Limits,
    /// What it does wrong on purpose; also which extensions it hides.
    pub behaviour: Arc<Behaviour>,
    /// The wall clock of records and quotas.
    pub clock: Clock,
}

impl ServerSettings {
    /// A plain server without TLS, logins or faults.
    pub fn new(name: impl Into<String>, clock: Clock) -> Self {
        let name = name.into();
        Self {
            hostname: "sink.test".to_owned(),
            name,
            protocol: Protocol::Smtp,
            tls: Tls::Off,
            logins: Logins::default(),
            limits: Limits::default(),
            behaviour: Arc::new(Behaviour::default()),
            clock,
        }
    }
}
