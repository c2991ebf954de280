//! `relay test`: connect, log in, leave. Nothing is sent, no quota is used.

use super::relay::find;
use crate::app::{App, Runs};
use crate::args::RelayTestArgs;
use crate::environment;
use crate::exit::Exit;
use crate::output::Table;
use crate::sinks::Sinks;
use crate::wiring::credentials::{Authorities, login};
use anyhow::Result;
use postroad_delivery::Login;
use postroad_delivery::connection::capabilities::Capabilities;
use postroad_delivery::connection::timeouts::Timeouts;
use postroad_delivery::connection::{self, Line};
use postroad_delivery::dial::{Dial, Local, dial, resolve};
use postroad_delivery::wire::{Command, ConnId};
use postroad_model::Clock;
use postroad_model::relay::Relay;
use postroad_model::reply::Phase;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A person waits: no phase may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a relay said.
#[derive(Debug, Serialize)]
pub struct Tried {
    pub relay: String,
    pub host: String,
    pub port: u16,
    pub ok: bool,
    pub said: String,
    /// Set when the login was refused.
    pub login_refused: bool,
}

pub async fn run(app: &App, args: &RelayTestArgs) -> Result<Exit> {
    let mut config = app.config(Runs::Briefly)?;
    let sinks = Sinks::start(&mut config, &app.clock).await?;
    let relays: Vec<Relay> = match &args.name {
        Some(name) => vec![find(&config.relays, name)?.clone()],
        None => config.relays.clone(),
    };
    let tried = try_all(&relays, app.clock.clone()).await?;
    sinks.shutdown().await;
    app.output.show(&tried, |tried| table(tried))?;
    Ok(if tried.iter().all(|t| t.ok) {
        Exit::Ok
    } else if tried.iter().any(|t| t.login_refused) {
        Exit::NoPermission
    } else {
        Exit::Unavailable
    })
}

/// Tries relays one after the other.
pub async fn try_all(relays: &[Relay], clock: Arc<dyn Clock>) -> Result<Vec<Tried>> {
    let login = login(relays, clock.clone())?;
    let mut authorities = Authorities::default();
    let mut tried = Vec::new();
    for relay in relays {
        let tls = authorities.of(relay)?;
        let result = try_one(relay, tls, &login, clock.clone()).await;
        let (ok, said, login_refused) = match result {
            Ok(said) => (true, said, false),
            Err((said, refused)) => (false, said, refused),
        };
        let (host, port) = (relay.endpoint.host.clone(), relay.endpoint.port);
        tried.push(Tried { relay: relay.name.clone(), host, port, ok, said, login_refused });
    }
    Ok(tried)
}

/// What the relay offers; or why not, and whether the login was it.
async fn try_one(
    relay: &Relay,
    tls: tokio_rustls::TlsConnector,
    login: &Login,
    clock: Arc<dyn Clock>,
) -> Result<String, (String, bool)> {
    let mut timeouts = Timeouts::default();
    timeouts.connect = PATIENCE;
    timeouts.greeting = PATIENCE;
    timeouts.ehlo = PATIENCE;
    timeouts.tls = PATIENCE;
    timeouts.auth = PATIENCE;
    timeouts.quit = Duration::from_secs(2);
    let relay = Arc::new(relay.clone());
    let credentials = login(relay.clone()).await.map_err(|why| (why, true))?;
    let addresses =
        resolve(&relay.endpoint, &timeouts).await.map_err(|f| (f.to_string(), false))?;
    let local = Local::new(&environment::host_name(), None);
    let target = Dial { relay, addresses, credentials, tls, timeouts, local };
    let connection =
        dial(&target).await.map_err(|fault| (fault.to_string(), fault.phase == Phase::Auth))?;
    let said = offers(connection.capabilities());
    let (commands, received) = mpsc::channel(1);
    let (events, _seen) = mpsc::unbounded_channel();
    let line = Line { conn: ConnId(0), commands: received, events, clock };
    // A channel of one has room for the first command.
    let _room = commands.try_send(Command::Quit);
    connection::run(connection, line, timeouts).await;
    Ok(said)
}

fn offers(c: &Capabilities) -> String {
    let mut words = Vec::new();
    for (name, offered) in [
        ("pipelining", c.pipelining),
        ("smtputf8", c.smtputf8),
        ("dsn", c.dsn),
        ("chunking", c.chunking),
    ] {
        if offered {
            words.push(name.to_owned());
        }
    }
    if let Some(max) = c.size_max() {
        words.push(format!("messages up to {max} octets"));
    }
    if words.is_empty() { "it offers nothing special".into() } else { words.join(", ") }
}

fn table(tried: &[Tried]) -> String {
    let mut table = Table::new(&["relay", "host", "", "said"]);
    for t in tried {
        let verdict = if t.ok { "ok" } else { "FAILED" };
        table.row([
            t.relay.clone(),
            format!("{}:{}", t.host, t.port),
            verdict.into(),
            t.said.clone(),
        ]);
    }
    table.to_string()
}
