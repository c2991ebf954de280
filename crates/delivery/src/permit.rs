//! The permit: proof of a durable W2, and the only key to a final dot.
//!
//! Made by the committer alone when the transaction of the intents has committed; spent by `Held::commit`, which
//! looks at the clock just before the dot is written. What must always hold: there is no other way to get one, and
//! one permit opens at most one dot: it is neither `Clone` nor `Copy`, and its fields are private. It does not know
//! the store: the lane's lease, less a margin, is already in `expires_at`.
//!
//! ```compile_fail
//! fn twice(permit: postroad_delivery::permit::Permit) {
//!     let another = permit.clone();
//! }
//! ```
//! ```compile_fail
//! # use postroad_model::{DeliveryId, LeaseToken, Timestamp};
//! let row = DeliveryId { bucket: 1, id: 1 };
//! let forged = postroad_delivery::permit::Permit::granted(row, LeaseToken(1), Timestamp(1));
//! ```

use postroad_model::{DeliveryId, LeaseToken, Timestamp};

/// Leave to write the final dot of one row.
#[derive(Debug)]
#[must_use = "a permit that is dropped leaves its row in Sending"]
pub struct Permit {
    id: DeliveryId,
    token: LeaseToken,
    expires_at: Timestamp,
}

impl Permit {
    /// For the committer, after the commit of the row's W2; `expires_at` is the lane's lease less its margin.
    pub(crate) const fn granted(id: DeliveryId, token: LeaseToken, expires_at: Timestamp) -> Self {
        Self { id, token, expires_at }
    }

    /// The row.
    #[must_use]
    pub const fn id(&self) -> DeliveryId {
        self.id
    }

    /// The lease that the intent was written under.
    #[must_use]
    pub const fn token(&self) -> LeaseToken {
        self.token
    }

    /// From here on it opens nothing.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// True when it opens the dot of this row at this moment.
    pub(crate) fn opens(&self, id: DeliveryId, now: Timestamp) -> bool {
        self.id == id && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_opens_its_own_row_until_it_expires() {
        let row = |id| DeliveryId { bucket: 1, id };
        let permit = Permit::granted(row(7), LeaseToken(3), Timestamp(100));
        let check = |id, now, opens| assert_eq!(permit.opens(row(id), Timestamp(now)), opens);
        check(7, 99, true);
        check(7, 100, false);
        check(8, 99, false);
        assert_eq!((permit.token(), permit.expires_at()), (LeaseToken(3), Timestamp(100)));
    }
}
