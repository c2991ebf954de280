//! Contacts: people with an address and attributes, and their subscriptions to lists.

use crate::{EmailAddress, ListId, Timestamp};
use serde::{Deserialize, Serialize};

/// A contact as an import or the operator brings it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewContact {
    /// The address; duplicates are found by its `key()`.
    pub address: EmailAddress,
    /// Full name, where one is given.
    pub name: Option<String>,
    /// Attributes by name.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

/// How a contact stands to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionState {
    /// Gets the list's campaigns.
    Subscribed = 1,
    /// Left; only the person's own act brings it back, never an import.
    Unsubscribed = 2,
}

impl SubscriptionState {
    /// The code in the database.
    #[must_use]
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// Back from the database's code.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Subscribed, Self::Unsubscribed].into_iter().find(|s| s.code() == code)
    }
}

/// One subscription, for `contact show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The list.
    pub list: ListId,
    /// Its name.
    pub list_name: String,
    /// How it stands.
    pub state: SubscriptionState,
    /// Since when.
    pub since: Timestamp,
}
