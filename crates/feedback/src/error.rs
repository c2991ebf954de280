//! What can go wrong while something that came back is recorded.

/// A failed call. Nothing of the event was recorded: the caller keeps what it has and tries again later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's.
    #[error(transparent)]
    Store(#[from] postroad_store::Error),
    /// The reply to the final dot of that delivery is still awaited.
    #[error(
        "a report came for delivery {delivery} while it is on the wire; it is kept where it was, try again in some minutes"
    )]
    OnTheWire {
        /// The delivery.
        delivery: postroad_model::DeliveryId,
    },
}

impl Error {
    /// True when the same call may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::OnTheWire { .. } => true,
        }
    }
}
