//! What `feedback` tells the store, and what it is told: rows that were sent, reports about them, what became of those.
//!
//! The words of `feedback.rs` and `feedback_views.rs`. Nothing is decided here.

use crate::{Error, Result, Suppressed};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::feedback::{Evidence, Threshold};
use postroad_model::suppression::SuppressionReason;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{
    CampaignId, ContactId, DeliveryId, EmailAddress, MailboxProvider, RelayId, Timestamp,
};

/// A delivery that something came back for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRow {
    /// The row.
    pub id: DeliveryId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The contact, if the address is one.
    pub contact: Option<ContactId>,
    /// The recipient; `None` once erased.
    pub address: Option<EmailAddress>,
    /// The keyed hash of the address.
    pub hash: i64,
    /// What the row is for.
    pub role: Role,
    /// Who hosts the recipient.
    pub provider: MailboxProvider,
    /// The relay that it went through; 0: none yet.
    pub relay: RelayId,
    /// Where it stands.
    pub state: DeliveryState,
    /// Which copy was the last.
    pub copy_no: i64,
    /// What was answered last.
    pub reply: Option<String>,
    /// Its last change.
    pub updated_at: Timestamp,
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct SentLine {
    bucket: i64,
    id: i64,
    campaign_id: i64,
    contact_id: Option<i64>,
    address: Option<String>,
    address_hash: i64,
    role: i64,
    provider: i64,
    relay: i64,
    state: i64,
    copy_no: i64,
    reply: Option<String>,
    updated_at: i64,
}

impl TryFrom<SentLine> for SentRow {
    type Error = Error;

    fn try_from(line: SentLine) -> Result<Self> {
        let id = DeliveryId { bucket: line.bucket, id: line.id };
        let bad = |column| Error::Inconsistent { table: "deliveries", column, id: id.to_string() };
        Ok(Self {
            id,
            campaign: CampaignId(line.campaign_id),
            contact: line.contact_id.map(ContactId),
            address: line.address.and_then(|a| EmailAddress::parse(&a).ok()),
            hash: line.address_hash,
            role: Role::from_code(line.role).ok_or_else(|| bad("role"))?,
            provider: MailboxProvider::from_code(line.provider).ok_or_else(|| bad("provider"))?,
            relay: RelayId(line.relay),
            state: DeliveryState::from_code(line.state).ok_or_else(|| bad("state"))?,
            copy_no: line.copy_no,
            reply: line.reply,
            updated_at: Timestamp(line.updated_at),
        })
    }
}

/// What an event is, in the table of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It was refused or came back.
    Bounce,
    /// The person complained.
    Complaint,
    /// The recipient's side says that it arrived.
    Delivered,
    /// Somebody still tries.
    Delayed,
    /// It was opened.
    Opened,
    /// A program fetched its image, whether anybody reads it or not: no sign of life.
    Prefetched,
    /// A link was followed.
    Clicked,
    /// An automatic answer.
    AutoReply,
    /// A person says that it is no spam.
    NotSpam,
    /// A copy lies in the relay's Sent folder.
    SentCopy,
    /// Our own relay gave it up: its quota is used up.
    Quota,
}

impl EventKind {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Delivered => "delivered",
            Self::Delayed => "delayed",
            Self::Opened => "opened",
            Self::Prefetched => "prefetched",
            Self::Clicked => "clicked",
            Self::AutoReply => "auto_reply",
            Self::NotSpam => "not_spam",
            Self::SentCopy => "sent_copy",
            Self::Quota => "quota",
        }
    }
}

/// How surely a report belongs to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// By a token or an identifier that only the two sides know.
    Strong,
    /// By address and time.
    Weak,
}

/// A report about a row, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFeedback {
    /// The same report has the same key.
    pub key: String,
    /// When it happened, as far as that is known.
    pub at: Timestamp,
    /// What it is.
    pub kind: EventKind,
    /// Whom it is about.
    pub row: SentRow,
    /// What it proves about the row's latest copy.
    pub evidence: Evidence,
    /// What it means, where it is a bounce or a complaint.
    pub verdict: Option<(BounceKind, Reason)>,
    /// How surely it is about this row.
    pub strength: Strength,
    /// Reply code, enhanced status and words for the row.
    pub said: (Option<u16>, Option<String>, Option<String>),
    /// Everything else, as JSON.
    pub data: String,
    /// The suppression that follows once its threshold is reached.
    pub suppress: Option<SuppressWhen>,
    /// The scope and name of the limit that counts as full from now on.
    pub full: Option<(String, Option<String>)>,
}

/// A suppression under a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressWhen {
    /// When.
    pub threshold: Threshold,
    /// Why.
    pub reason: SuppressionReason,
    /// Who or what said so.
    pub origin: String,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It had been recorded: nothing changed.
    SeenBefore,
    /// Its row is on the wire: nothing was recorded; the report is to be brought again.
    OnTheWire,
    /// It is recorded.
    Fresh {
        /// What the row became, if it moved.
        moved: Option<DeliveryState>,
        /// What was suppressed, if the threshold was reached.
        suppressed: Option<Suppressed>,
    },
}
