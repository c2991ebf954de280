//! A sink and a dial that leads to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use postroad_delivery::{
    connection::{Connection, timeouts::Timeouts},
    dial::{Credentials, Dial, DialFault, Local, dial, tls_trusting_only},
};
use postroad_model::relay::{Auth, ConnectionLimits, Endpoint, Habits, Relay, Senders, TlsMode};
use postroad_smtpd::{Behaviour, Logins, Memory, Server, ServerSettings, Tls, tls_from_pem};
use postroad_testkit::certificate::{Authority, Leaf};

pub struct Relayed {
    pub server: Server,
    pub authority: Authority,
    mode: TlsMode,
}

pub struct Setup {
    pub mode: TlsMode,
    pub behaviour: &'static str,
    pub logins: Logins,
    pub certificate: fn(&Authority) -> Leaf,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: TlsMode::None,
            behaviour: "",
            logins: Logins::Off,
            certificate: |authority| authority.issue("localhost"),
        }
    }
}

impl Setup {
    pub async fn start(self) -> Relayed {
        let authority = Authority::new();
        let leaf = (self.certificate)(&authority);
        let (certificate, key) = (leaf.certificate_pem.as_bytes(), leaf.key_pem.as_bytes());
        let config = tls_from_pem(certificate, key).unwrap();
        let behaviour: Behaviour = toml::from_str(self.behaviour).unwrap();
        let settings = ServerSettings {
            behaviour: Arc::new(behaviour),
            logins: self.logins,
            tls: match self.mode {
                TlsMode::None => Tls::Off,
                TlsMode::Starttls => Tls::StartTlsRequired(config),
                TlsMode::Implicit => Tls::Implicit(config),
            },
            ..ServerSettings::new("sink", Arc::new(|| 0))
        };
        let memory = Arc::new(Memory::default());
        let server = Server::sink(([127, 0, 0, 1], 0).into(), settings, memory);
        Relayed { server: server.await.unwrap(), authority, mode: self.mode }
    }
}

pub fn target(address: SocketAddr, tls: TlsMode, authority: &Authority) -> Dial {
    let relay = Relay {
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
            idle: Duration::from_secs(60),
        },
        max_message_bytes: None,
        habits: Habits::default(),
        reply_rules: Vec::new(),
        bulk_allowed: true,
    };
    Dial {
        relay: Arc::new(relay),
        addresses: vec![address],
        credentials: Credentials::None,
        tls: tls_trusting_only(authority.certificate_pem().as_bytes()).unwrap(),
        timeouts: Timeouts::default(),
        local: Local::new("client.test", None),
    }
}

impl Relayed {
    pub fn target(&self) -> Dial {
        target(self.server.local_addr(), self.mode, &self.authority)
    }

    pub async fn dial(&self) -> Result<Connection, Box<DialFault>> {
        dial(&self.target()).await
    }
}
