//! The two listeners: opened first, so that a taken port stops a start before anything is sent, then served until
//! the shutdown, which lets open requests end.

use crate::connection::{Bounds, accept};
use crate::{App, Error, Result, admin, public};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Open ports that nobody serves yet.
#[derive(Debug)]
pub struct Listeners {
    public: Option<(TcpListener, SocketAddr)>,
    admin: (TcpListener, SocketAddr),
}

impl Listeners {
    /// Opens the ports. No public one: links in mail lead nowhere, or to another node.
    ///
    /// # Errors
    /// `Listen` names the configuration's key.
    pub async fn bind(public: Option<SocketAddr>, admin: SocketAddr) -> Result<Self> {
        let public = match public {
            Some(address) => Some(open("web.public_listen", address).await?),
            None => None,
        };
        Ok(Self { public, admin: open("web.admin_listen", admin).await? })
    }

    /// Where recipients' links are answered.
    #[must_use]
    pub fn public_address(&self) -> Option<SocketAddr> {
        self.public.as_ref().map(|(_, address)| *address)
    }

    /// Where metrics and health are.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.1
    }

    /// Serves until `shutdown` is ready and the open requests are answered, some seconds later at most.
    pub async fn serve(self, app: App, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(());
        let public = async {
            if let Some((listener, address)) = self.public {
                tracing::info!(%address, "public listener is open");
                accept(listener, public::router(app.clone()), Bounds::PUBLIC, stopped.clone())
                    .await;
            }
        };
        let admin = async {
            let (listener, address) = self.admin;
            tracing::info!(%address, "admin listener is open");
            accept(listener, admin::router(app.clone()), Bounds::ADMIN, stopped.clone()).await;
        };
        let stopping = async {
            shutdown.await;
            drop(stop);
        };
        tokio::join!(public, admin, stopping);
    }
}

/// Opens the ports and serves them: see [`Listeners`].
///
/// # Errors
/// `Listen` names the configuration's key.
pub async fn serve(
    public: Option<SocketAddr>,
    admin: SocketAddr,
    app: App,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    Listeners::bind(public, admin).await?.serve(app, shutdown).await;
    Ok(())
}

async fn open(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |source| Error::listen(key, address, source);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
