//! What opens a mailbox: where it is, how TLS starts, who logs in, how long anything may take.
//!
//! Filled by cli from the configuration. It fetches no tokens: the caller gives one that is good now.

use postroad_model::Secret;
use postroad_model::relay::Endpoint;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// How to log in.
#[derive(Clone, Debug)]
pub enum Login {
    /// LOGIN (IMAP), or USER and PASS (POP3).
    Password {
        /// The account.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// XOAUTH2.
    Bearer {
        /// The account.
        username: String,
        /// An access token.
        token: Secret,
    },
}

impl Login {
    /// The account's name.
    #[must_use]
    pub fn username(&self) -> &str {
        match self {
            Self::Password { username, .. } | Self::Bearer { username, .. } => username,
        }
    }
}

/// All that opens a connection.
#[derive(Clone)]
pub struct Access {
    /// Host, port, and how TLS starts.
    pub endpoint: Endpoint,
    /// The authorities that are trusted.
    pub tls: TlsConnector,
    /// Who logs in.
    pub login: Login,
    /// How long each part may take.
    pub timeouts: Timeouts,
    /// What to tell people whose login is refused; from the profile.
    pub login_advice: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.login.username(), self.endpoint.host, self.endpoint.port)
    }
}

/// An access that is being made ready: a token may have to be fetched.
pub type Accessing = Pin<Box<dyn Future<Output = Result<Access, String>> + Send>>;
/// Makes an access with what is good now.
pub type OpenAccess = Arc<dyn Fn() -> Accessing + Send + Sync>;

/// How long each part may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP and TLS, each.
    pub connect: Duration,
    /// The answer to a login.
    pub login: Duration,
    /// The answer to any other command, however long the answer.
    pub command: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            login: Duration::from_secs(60),
            command: Duration::from_secs(120),
        }
    }
}
