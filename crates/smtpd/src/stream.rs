//! The byte stream of a connection, plain or TLS, and the ways to end it.
//!
//! Used by the connection only. Ends are kept apart because clients must tell them apart: FIN, RST, and
//! a write side closed while the read side stays open.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long an ended connection still reads, so that unread input does not turn FIN into RST.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Between taking the plain stream and the end of the handshake; after RST.
    Gone,
}

impl Stream {
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
            Self::Gone => Ok(0),
        }
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The handshake; nothing may have been read beyond the command that asked for it.
    pub(crate) async fn encrypt(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        match std::mem::replace(self, Self::Gone) {
            Self::Plain(stream) => {
                *self = Self::Tls(Box::new(acceptor.accept(stream).await?));
                Ok(())
            }
            Self::Tls(_) | Self::Gone => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// RST: whatever the client has in flight meets a closed port.
    pub(crate) fn reset(&mut self) {
        let closed = match self {
            Self::Plain(stream) => stream.set_zero_linger(),
            Self::Tls(stream) => stream.get_ref().0.set_zero_linger(),
            Self::Gone => Ok(()),
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "could not ask for a reset; closing instead");
        }
        *self = Self::Gone;
    }

    /// FIN on the write side.
    pub(crate) async fn close_write(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            Self::Gone => Ok(()),
        }
    }

    /// FIN, then reads for a moment so that the last replies arrive.
    pub(crate) async fn close(&mut self) {
        if self.close_write().await.is_ok() {
            // Past the time, or broken: either way the socket is dropped now.
            let _ended = timeout(LINGER, self.drain()).await;
        }
        *self = Self::Gone;
    }

    /// Reads and forgets until the client closes.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        let mut scrap = [0; 4096];
        while self.read(&mut scrap).await? > 0 {}
        Ok(())
    }
}
