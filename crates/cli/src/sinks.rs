//! Sinks inside the program: what `profile = "sink"` relays send to, and the pretended relays of the demo.
//!
//! Each listens on loopback for as long as the command runs, records what it takes as JSON lines and hands its port
//! to the relay's endpoint. They are real servers: the engine does not know that they are its neighbours.

use crate::app::folder_of;
use crate::clock::SystemClock;
use anyhow::{Context as _, Result};
use postroad_config::Config;
use postroad_model::Clock as _;
use postroad_smtpd::{
    Account, Behaviour, JsonLines, Logins, MailFolder, Mechanism, Server, ServerSettings, Sink,
};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Servers that listen; dropping them ends them.
#[derive(Default)]
pub struct Sinks(Vec<Server>);

impl Sinks {
    /// Starts the sinks of a configuration and writes the ports that they got into its relays.
    pub async fn start(config: &mut Config, clock: &Arc<SystemClock>) -> Result<Self> {
        let folder = folder_of(config).join("sink");
        let mut sinks = Self::default();
        for relay in config.sinks() {
            let ip = relay.endpoint.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let wanted = SocketAddr::new(ip, relay.endpoint.port);
            let plan = Plan {
                name: relay.name.clone(),
                listen: wanted,
                behaviour: Behaviour::default(),
                account: None,
                record: folder.join(format!("{}.jsonl", relay.name)),
                keep: Some(folder.join(&relay.name)),
            };
            match plan.listen(clock).await {
                Ok(server) => {
                    relay.endpoint.host = server.local_addr().ip().to_string();
                    relay.endpoint.port = server.local_addr().port();
                    sinks.0.push(server);
                }
                // Another postroad runs the sink on the port that the configuration names.
                Err(error) if wanted.port() != 0 && is_taken(&error) => {
                    tracing::info!(relay = relay.name, "the sink's port is served already");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sinks)
    }

    pub fn add(&mut self, server: Server) {
        self.0.push(server);
    }

    /// Waits until all connections are closed.
    pub async fn shutdown(self) {
        for server in self.0 {
            server.shutdown().await;
        }
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == ErrorKind::AddrInUse)
}

/// One sink that is to be started.
pub struct Plan {
    /// Its name in records.
    pub name: String,
    /// Where; port 0 takes any.
    pub listen: SocketAddr,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// User and password that must log in.
    pub account: Option<(String, String)>,
    /// Its records.
    pub record: PathBuf,
    /// Where messages are kept.
    pub keep: Option<PathBuf>,
}

impl Plan {
    /// Starts it.
    pub async fn listen(self, clock: &Arc<SystemClock>) -> Result<Server> {
        make_folder(self.record.parent())?;
        let recorder = Arc::new(JsonLines::open(&self.record)?);
        let mut settings = ServerSettings::new(&self.name, wall(clock));
        settings.behaviour = Arc::new(self.behaviour);
        if let Some((user, password)) = self.account {
            settings.logins =
                Logins::Required(vec![Mechanism::Plain], vec![account(user, password)]);
        }
        let mut sink = Sink::new(&settings, recorder);
        if let Some(folder) = &self.keep {
            make_folder(Some(folder))?;
            sink = sink.keeping(MailFolder::open(folder, unique(clock))?);
        }
        Ok(Server::bind(self.listen, settings, Arc::new(sink)).await?)
    }
}

/// An account by user and password.
pub fn account(user: String, password: String) -> Account {
    Account { user, password: Some(password), token: None }
}

/// Tells the files of one run from those of another.
pub fn unique(clock: &SystemClock) -> String {
    format!("{}.{}", clock.now().0, std::process::id())
}

/// The clock in the form that the server wants.
pub fn wall(clock: &Arc<SystemClock>) -> postroad_smtpd::Clock {
    let clock = Arc::clone(clock);
    Arc::new(move || clock.now().0)
}

fn make_folder(folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder.filter(|f| !f.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}
