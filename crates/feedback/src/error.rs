//! What can go wrong while something that came back is recorded.

/// A failed call. Nothing of the event was recorded: the caller keeps what it has and tries again later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's.
    #[error(transparent)]
    Store(#[from] postroad_store::Error),
}

impl Error {
    /// True when the same call may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
        }
    }
}
