//! Suppressions: addresses that must not be mailed, everywhere or on one list, and why.

use crate::{ListId, Timestamp};
use serde::{Deserialize, Serialize};

/// Why an address is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// The mailbox does not exist (a DSN or an SMTP reply said so).
    HardBounce,
    /// Temporary failures came so often that the policy gave the address up.
    RepeatedBounces,
    /// A feedback report came for it.
    Complaint,
    /// The person asked for it.
    Unsubscribe,
    /// The operator put it there.
    Manual,
    /// The person's data were erased; only the keyed hash stays.
    Erased,
    /// The relay's own suppression list refused it.
    Upstream,
}

/// Where a suppression holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionScope {
    /// On every list and campaign.
    All,
    /// On one list.
    List(ListId),
}

impl SuppressionScope {
    /// The column's form: 0 is all.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        match self {
            Self::All => 0,
            Self::List(id) => id.0,
        }
    }
}

/// A request to suppress an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSuppression {
    /// Whom.
    pub address: crate::EmailAddress,
    /// Where it holds.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// Who or what said so, in a few words: `one-click`, `cli`, `import bounces.csv`.
    pub origin: String,
    /// When.
    pub at: Timestamp,
}
