//! What can go wrong with a key or a signature. Each message names the file or the field and says what helps.

use std::{io, path::PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be read.
    #[error(
        "cannot read the DKIM key {path}: check the path under dkim in the configuration and the file's rights"
    )]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key file cannot be written.
    #[error(
        "cannot write the DKIM key {path}: an existing key is never overwritten, move it away or take another selector"
    )]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other accounts could replace the key.
    #[error(
        "the DKIM key {path} may be changed by other accounts (mode {mode:o}): run chmod 600 on it"
    )]
    WritableByOthers {
        /// Which file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The text holds no key that can sign.
    #[error("{origin} holds no usable DKIM key: {reason}")]
    Key {
        /// The file, or where else the text came from.
        origin: String,
        /// What is wrong, and what helps.
        reason: String,
    },
    /// A selector that cannot stand in a DNS name.
    #[error("{0:?} is not a DKIM selector: use letters, digits and hyphens, for instance s1")]
    Selector(String),
    /// Two keys of a domain under one selector.
    #[error("{domain} has two DKIM keys under the selector {selector}: give each key its own")]
    DuplicateSelector {
        /// The domain.
        domain: String,
        /// The selector.
        selector: String,
    },
    /// The crypto library could not make a key.
    #[error("cannot make a {0} key: the crypto library refused, try again")]
    Generate(crate::KeyAlgorithm),
    /// The header block cannot be signed; the renderer made a bad message.
    #[error(
        "cannot sign message {message_id}: {reason} (this is a fault of the program, please report it)"
    )]
    Message {
        /// Which message.
        message_id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The crypto library refused to sign.
    #[error("cannot sign message {message_id} with selector {selector}: {reason}")]
    Sign {
        /// Which message.
        message_id: String,
        /// With which key.
        selector: String,
        /// What the library said.
        reason: String,
    },
}
