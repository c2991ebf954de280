//! Accepting and speaking HTTP/1.1 (RFC 9112) with a bound on everything a stranger can make us hold: connections,
//! header octets and fields, the time that a head may take and the time that a connection may live.
//!
//! `axum::serve` sets none of these, so the loop is ours: hyper's connection below, axum's router above.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Octets of a request's head; links and cookies of strangers fit easily.
const HEAD_OCTETS: usize = 16 * 1024;
/// Header fields; browsers behind proxies send about 30.
const HEAD_FIELDS: usize = 100;
/// Until the head is complete, also for the next request of a kept connection.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// After the shutdown was asked for.
const DRAIN_TIME: Duration = Duration::from_secs(15);
/// Pause when the system has no sockets or memory left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How much a listener takes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at once; more wait in the kernel's queue.
    connections: usize,
    /// The longest life of a connection, however slowly its peer reads.
    life: Duration,
}

impl Bounds {
    pub(crate) const PUBLIC: Self = Self { connections: 512, life: Duration::from_secs(120) };
    pub(crate) const ADMIN: Self = Self { connections: 32, life: Duration::from_secs(3600) };
}

/// Serves a listener until the sender of `stopped` is dropped and the open connections have ended.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    mut stopped: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            _ = stopped.changed() => break,
            next = next => next,
        };
        match stream {
            Ok((stream, _)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                open.spawn(async move {
                    let _place = place;
                    speak(stream, router, bounds.life, stopped).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIME, drained).await.is_err() {
        tracing::warn!("HTTP requests were cut off by the shutdown");
    }
}

/// One connection. Its errors are the peer's business: it hung up, was too slow or spoke no HTTP.
async fn speak(
    stream: TcpStream,
    router: Router,
    life: Duration,
    mut stopped: watch::Receiver<()>,
) {
    // Without it small answers wait for the peer's delayed ACK; a socket that refuses it works all the same.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEAD_FIELDS)
        .max_buf_size(HEAD_OCTETS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let end = tokio::time::Instant::now() + life;
    let served = async {
        tokio::select! {
            result = connection.as_mut() => result,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        }
    };
    match tokio::time::timeout_at(end, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection ended early"),
        Err(_) => tracing::debug!("an HTTP connection lived too long"),
    }
}
