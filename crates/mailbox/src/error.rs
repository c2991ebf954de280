//! Why a mailbox could not be read, in words that lead on.
//!
//! Callers split by [`Error::needs_a_person`]: a login that was refused is not tried again soon (accounts are
//! locked for that), everything else is tried again with growing pauses. No text here holds a secret.

use std::time::Duration;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("cannot connect to {server}: {why}; {advice}")]
    Unreachable {
        /// host:port.
        server: String,
        /// What the system said.
        why: String,
        /// What to look at.
        advice: &'static str,
    },
    /// TLS failed, or is not offered.
    #[error("no safe connection to {server}: {why}; {advice}")]
    Tls {
        /// host:port.
        server: String,
        /// What went wrong.
        why: String,
        /// What to look at.
        advice: &'static str,
    },
    /// The login was refused.
    #[error("{server} refused the login of {username}: {said}; {advice}")]
    Login {
        /// host:port.
        server: String,
        /// The account.
        username: String,
        /// The server's words.
        said: String,
        /// What to do.
        advice: String,
    },
    /// A command was refused.
    #[error("{server} refused to {doing}: {said}")]
    Refused {
        /// host:port.
        server: String,
        /// What was asked, with its object.
        doing: String,
        /// The server's words.
        said: String,
    },
    /// The connection ended in between.
    #[error("the connection to {server} ended while it was to {doing}: {why}; it is tried again")]
    Lost {
        /// host:port.
        server: String,
        /// What was asked.
        doing: String,
        /// What the system said.
        why: String,
    },
    /// Nothing came in time.
    #[error("{server} did not {doing} within {} s; it is tried again", .within.as_secs())]
    Silent {
        /// host:port.
        server: String,
        /// What was asked.
        doing: String,
        /// How long it had.
        within: Duration,
    },
    /// What was answered makes no sense.
    #[error(
        "{server} answered the wish to {doing} with something strange: {why}; check host and port"
    )]
    Strange {
        /// host:port.
        server: String,
        /// What was asked.
        doing: String,
        /// What was wrong.
        why: String,
    },
    /// The server cannot do what is needed.
    #[error("{server} cannot {doing}: {why}")]
    Unable {
        /// host:port.
        server: String,
        /// What is needed.
        doing: String,
        /// What it lacks, and what to do.
        why: String,
    },
}

impl Error {
    /// True when trying again is of no use before a person has changed something.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Login { .. } | Self::Unable { .. } => true,
            Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Refused { .. }
            | Self::Lost { .. }
            | Self::Silent { .. }
            | Self::Strange { .. } => false,
        }
    }
}

/// A foreign text as one short line without control characters.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(300).collect()
}
