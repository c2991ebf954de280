//! Listens, and gives each client a task of its own.
//!
//! Started by cli (sink, demo, bounce listener) and by tests; the in-process form of everything here.
//! What always holds: open connections stay under the limit (one more gets 421), TCP_NODELAY is on, and
//! dropping the server ends its connections. It binds one address; several servers are several of these.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connection::{Connection, Shared},
    envelope::Peer,
    error::Error,
    fault::Faults,
    handler::Handler,
    recorder::Recorder,
    settings::{ServerSettings, Tls},
    sink::Sink,
    terms::Terms,
};

/// Wait after a failed accept: most of them mean that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening server. Dropping it ends its connections in the background; [`Server::shutdown`] waits for
/// that.
pub struct Server {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Server {
    /// Listens, with this program behind it.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn bind(
        addr: SocketAddr,
        settings: ServerSettings,
        handler: Arc<dyn Handler>,
    ) -> Result<Self, Error> {
        let bind = |source| Error::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(bind)?;
        let local_addr = listener.local_addr().map_err(bind)?;
        let acceptor = match &settings.tls {
            Tls::Off => None,
            Tls::StartTls(config) | Tls::StartTlsRequired(config) | Tls::Implicit(config) => {
                Some(TlsAcceptor::from(Arc::clone(config)))
            }
        };
        let shared = Arc::new(Shared {
            terms: Arc::new(Terms::new(&settings)),
            faults: Faults::new(Arc::clone(&settings.behaviour)),
            settings,
            handler,
            acceptor,
            stop: CancellationToken::new(),
            connections: AtomicU64::new(0),
        });
        let tasks = TaskTracker::new();
        tasks.spawn(accept(listener, Arc::clone(&shared), tasks.clone()));
        Ok(Self { local_addr, shared, tasks })
    }

    /// Listens as a sink that behaves as the settings say and records what it takes.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn sink(
        addr: SocketAddr,
        settings: ServerSettings,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Self, Error> {
        let sink = Sink::new(&settings, recorder);
        Self::bind(addr, settings, Arc::new(sink)).await
    }

    /// Where it listens; the port is known even if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Connections ever taken.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        // The listener is a task as well.
        self.tasks.len().saturating_sub(1)
    }

    /// Stops listening, says 421 to those who wait, and returns when all connections are closed.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, remote)) => {
                let connection = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                // This task is one of them.
                if tasks.len() > shared.terms.limits.connections_max {
                    refuse(stream).await;
                    continue;
                }
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, %remote, "the client left before it was served");
                    continue;
                }
                let peer = Peer {
                    server: shared.settings.name.as_str().into(),
                    connection,
                    remote,
                    helo: String::new(),
                    account: None,
                    encrypted: false,
                    messages: 0,
                };
                tasks.spawn(Connection::new(Arc::clone(&shared), stream, peer).run());
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A line fits into any socket's buffer, so this does not hold up the listener.
async fn refuse(mut stream: TcpStream) {
    let line = b"421 4.3.2 Too many connections, try again later\r\n";
    if let Err(error) = stream.write_all(line).await {
        tracing::debug!(%error, "the client left before it was refused");
    }
}
