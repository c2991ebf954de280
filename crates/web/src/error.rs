//! Why the listeners cannot be opened.

use std::net::SocketAddr;

/// This crate's errors. What goes wrong in a request is a page or a problem document, not one of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port is taken, or the address is not this machine's.
    #[error("cannot listen on {address} ({key}): {source}; {hint}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The key in the configuration.
        key: &'static str,
        /// What to do next.
        hint: String,
        /// The system's words.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn listen(key: &'static str, address: SocketAddr, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = source.kind();
        let hint = if kind == ErrorKind::AddrInUse {
            format!(
                "another program has that port (another postroad serve?): stop it or change {key}"
            )
        } else if kind == ErrorKind::AddrNotAvailable {
            format!("this machine has no such address: change {key}")
        } else if kind == ErrorKind::PermissionDenied {
            format!("ports below 1024 need the system's permission: take a higher one in {key}")
        } else {
            format!("change {key}")
        };
        Self::Listen { address, key, hint, source }
    }
}
