//! What keeps a seed mailbox from being looked into.

/// A failed look. What was found before it failed is written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's.
    #[error(transparent)]
    Store(#[from] postroad_store::Error),
    /// The mailbox's.
    #[error(transparent)]
    Mailbox(#[from] postroad_mailbox::Error),
    /// No access could be made ready, e.g. no token was given out.
    #[error("the login of the seed mailbox cannot be made ready: {0}")]
    Access(String),
}

impl Error {
    /// True when trying again is of no use before a person has changed something.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Mailbox(error) => error.needs_a_person(),
            Self::Store(_) | Self::Access(_) => false,
        }
    }

    /// True when nobody could log in.
    pub(crate) fn is_login(&self) -> bool {
        matches!(self, Self::Access(_) | Self::Mailbox(postroad_mailbox::Error::Login { .. }))
    }
}
