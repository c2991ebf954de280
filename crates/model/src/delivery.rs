//! A delivery: one campaign x one address, the row that is the baton through the whole program.
//!
//! `Scheduled -> Leased -> Sending -> Accepted | Rejected | Unknown`, and the ends that never touch the wire.
//! docs/states.md draws it; `DeliveryState::may_become` is that drawing as code, and a test compares them.

use crate::{CampaignId, ContactId, DeliveryId, EmailAddress, MailboxProvider, RelayId, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its time and a lane.
    Scheduled = 0,
    /// A lane holds it (W1); nothing was offered that counts.
    Leased = 1,
    /// The intent is durable (W2): a final dot may be on the wire.
    Sending = 2,
    /// The relay took it.
    Accepted = 3,
    /// The relay refused it for good.
    Rejected = 4,
    /// The dot may have arrived and no reply was read (RFC 1047).
    Unknown = 5,
    /// Suppressed, unsubscribed or erased before it was sent.
    Suppressed = 6,
    /// Its campaign's time was over.
    Expired = 7,
    /// Its campaign was cancelled.
    Cancelled = 8,
    /// Ours: it cannot be rendered or sent as it is.
    Failed = 9,
    /// Accepted, and later a DSN said that it did not arrive.
    Bounced = 10,
}

impl DeliveryState {
    /// All states, in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::Scheduled,
        Self::Leased,
        Self::Sending,
        Self::Accepted,
        Self::Rejected,
        Self::Unknown,
        Self::Suppressed,
        Self::Expired,
        Self::Cancelled,
        Self::Failed,
        Self::Bounced,
    ];

    /// The code in the database; it never changes its meaning.
    #[must_use]
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// Back from the database's code.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }

    /// The name in reports, exports and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Leased => "leased",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Suppressed => "suppressed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Bounced => "bounced",
        }
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// True for the states in which the row still has to move before its campaign is finished.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Leased | Self::Sending)
    }

    /// Every transition that some write of the program makes.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use DeliveryState as S;
        let allowed: &[Self] = match self {
            S::Scheduled => &[S::Leased, S::Suppressed, S::Expired, S::Cancelled, S::Failed],
            S::Leased => &[
                S::Scheduled,
                S::Sending,
                S::Rejected,
                S::Suppressed,
                S::Expired,
                S::Cancelled,
                S::Failed,
            ],
            S::Sending => &[
                S::Scheduled,
                S::Accepted,
                S::Rejected,
                S::Unknown,
                S::Expired,
                S::Cancelled,
                S::Failed,
            ],
            S::Unknown => &[S::Scheduled, S::Accepted, S::Rejected, S::Bounced],
            S::Accepted => &[S::Scheduled, S::Bounced],
            S::Rejected | S::Failed | S::Expired | S::Bounced => &[S::Scheduled],
            S::Suppressed | S::Cancelled => &[],
        };
        allowed.contains(&next)
    }
}

/// What a row is for. Seeds and tests are counted apart from the audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A recipient of the campaign.
    Audience = 0,
    /// A mailbox of our own.
    Seed = 1,
    /// A test message.
    Test = 2,
}

impl Role {
    /// The code in the database.
    #[must_use]
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// Back from the database's code.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Audience, Self::Seed, Self::Test].into_iter().find(|r| r.code() == code)
    }
}

/// Why a row ended as `Failed` or `Suppressed`, and other remarks of the engine: the `detail` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// On the suppression list.
    Suppressed,
    /// No longer subscribed to one of the campaign's lists.
    Unsubscribed,
    /// The contact was erased.
    Erased,
    /// The template cannot be rendered for this contact.
    Render,
    /// Larger than every relay of the pool takes.
    TooLarge,
    /// Needs SMTPUTF8 and no relay of the pool offers it.
    NeedsSmtputf8,
    /// Blocked five times by policy replies.
    Blocked,
    /// A resend would differ from the first copy.
    Changed,
}

impl Detail {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Suppressed, "suppressed"),
        (Self::Unsubscribed, "unsubscribed"),
        (Self::Erased, "erased"),
        (Self::Render, "render"),
        (Self::TooLarge, "too_large"),
        (Self::NeedsSmtputf8, "needs_smtputf8"),
        (Self::Blocked, "blocked"),
        (Self::Changed, "changed"),
    ];

    /// The name in the database and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(d, _)| *d == self).map_or("", |(_, n)| n)
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, n)| *n == name).map(|(d, _)| *d)
    }
}

/// A leased row: what the engine needs to compose and send it.
#[derive(Clone, Debug, PartialEq)]
pub struct Leased {
    /// The row.
    pub id: DeliveryId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The contact; `None` for seeds and tests that are no contacts.
    pub contact: Option<ContactId>,
    /// The recipient.
    pub address: EmailAddress,
    /// What the row is for.
    pub role: Role,
    /// Who hosts the recipient.
    pub provider: MailboxProvider,
    /// The row's random rank; with the id it seeds Message-ID, boundaries and tokens.
    pub rank: i64,
    /// Serial of this lease.
    pub attempt: i64,
    /// Deferrals charged to the recipient's side so far.
    pub tries: i64,
    /// Policy blocks so far.
    pub blocks: i64,
    /// Grows at every reopening after a dot; part of the envelope tag.
    pub copy_no: i64,
    /// When the first deferral or intent bound the row.
    pub bound: Option<Bound>,
    /// Name and attributes of the contact, read at the lease.
    pub fields: ContactFields,
    /// When it was leased for the first time.
    pub first_leased_at: Timestamp,
}

/// What a row is bound to from its first deferral or intent on: later copies must look the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The relay whose identity it has.
    pub relay: RelayId,
    /// MAIL FROM.
    pub mail_from: String,
    /// The Date field.
    pub date: Timestamp,
    /// Hash of the unsigned bytes of the first copy; absent before the first intent.
    pub content_hash: Option<i64>,
}

/// The contact's data as a template sees them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactFields {
    /// Full name.
    pub name: Option<String>,
    /// Attributes by name.
    #[serde(default)]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back() {
        for s in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_code(s.code()), Some(s));
            assert_eq!(DeliveryState::from_name(s.as_str()), Some(s));
        }
    }

    #[test]
    fn nothing_reaches_the_wire_without_a_lease_and_an_intent() {
        for s in DeliveryState::ALL {
            let touches_wire = matches!(s, DeliveryState::Accepted | DeliveryState::Unknown);
            assert!(!(touches_wire && DeliveryState::Scheduled.may_become(s)));
            assert!(!(touches_wire && DeliveryState::Leased.may_become(s)));
        }
    }
}
