//! What can go wrong before a server runs, or while its records are read.
//!
//! A client that misbehaves is never an error of this crate: it gets a reply.

use std::{io, net::SocketAddr, path::PathBuf};

/// An attempt of this crate that failed, on what, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listening socket could not be opened.
    #[error("could not listen on {addr}; is the port in use, or below 1024? choose another one")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A certificate or key is not PEM, or not of a kind that TLS can use.
    #[error("could not read the {what} of the SMTP server; give it as PEM: {reason}")]
    Pem {
        /// "certificate" or "private key".
        what: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// Certificate and key do not fit together.
    #[error("could not set up TLS for the SMTP server; does the key belong to the certificate?")]
    Tls(#[source] rustls::Error),
    /// A record file or mail folder could not be opened, read or written.
    #[error("could not {what} {path}; check that the folder exists, is writable and not full")]
    File {
        /// "open", "read" or "write".
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
