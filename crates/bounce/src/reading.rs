//! What `read` hands back: the reports of one mail, what leads back to a delivery, and findings.
//!
//! `feedback` stores and acts on reports, `postroad bounce` shows them. Action words follow RFC 3464 section 2.3.3,
//! feedback types RFC 5965 section 7.3. What always holds: every text is clean (no control characters) and bounded
//! by [`MAX_DIAGNOSTIC`] or [`MAX_VALUE`], every list by [`MAX_REPORTS`] or [`MAX_REFERENCES`]. These types decide
//! nothing.

use postroad_model::verdict::{BounceKind, Reason};
use std::fmt;

/// Most octets that are read of one mail, whichever way it came: what matters stands in its first parts.
pub const MAX_READ: usize = 2 << 20;
/// Longest diagnostic text, in characters.
pub const MAX_DIAGNOSTIC: usize = 2_000;
/// Longest other value, in characters.
pub const MAX_VALUE: usize = 998;
/// Most reports of one mail.
pub const MAX_REPORTS: usize = 1_000;
/// Most values of one kind of reference.
pub const MAX_REFERENCES: usize = 20;

/// What one mail says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// One per recipient spoken of; empty for ordinary mail.
    pub reports: Vec<Report>,
    /// What leads back to a delivery.
    pub references: References,
    /// What was odd and had to be repaired or left out.
    pub findings: Vec<Finding>,
}

/// What became of the mail to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its address as text; `None` when it was redacted or not told.
    pub recipient: Option<String>,
    /// Other addresses that the report gives for the same recipient: the one that was first mailed
    /// (`Original-Recipient`), the one it was expanded from or forwarded to.
    pub aliases: Vec<String>,
    /// What the reporter did.
    pub action: Option<Action>,
    /// Enhanced status like `5.1.1`: the better of the status field and what the diagnostic says.
    pub status: Option<String>,
    /// SMTP reply code.
    pub code: Option<u16>,
    /// The reason in the words of the far side.
    pub diagnostic: String,
    /// Who reports.
    pub reporting_mta: Option<String>,
    /// Who refused.
    pub remote_mta: Option<String>,
    /// How lasting it is, and whose fault.
    pub kind: BounceKind,
    /// Why.
    pub reason: Reason,
    /// What a feedback report is about; `None` for anything else.
    pub feedback: Option<FeedbackType>,
    /// How sure the conclusion is.
    pub confidence: Confidence,
    /// The rule that decided.
    pub rule: String,
    /// The steps of the conclusion in words, for `bounce explain`.
    pub steps: Vec<String>,
}

/// What leads back to a delivery, in the order of strength.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Addresses that this mail itself was sent to (`Delivered-To`, `X-Original-To`, `Envelope-To`, `To` and the
    /// like): return paths with a token are among them.
    pub addressed_to: Vec<String>,
    /// `X-Postroad-Ref` found anywhere in returned headers or text, or in the mail's own header.
    pub returned_refs: Vec<String>,
    /// `Message-ID` of the returned message, then `In-Reply-To` and `References` of the mail; without brackets.
    pub message_ids: Vec<String>,
    /// `Original-Envelope-Id`.
    pub envelope_ids: Vec<String>,
    /// Subject of the mail itself.
    pub subject: Option<String>,
}

/// What was odd about the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finding {
    /// The mail was longer than what is read of it.
    Cut,
    /// More parts, or deeper nested ones, than are read.
    TooManyParts,
    /// More recipients than are reported.
    TooManyReports,
    /// There is no header, or no text at all.
    Broken,
    /// A part did not decode as it said that it was encoded.
    BadEncoding,
    /// Characters did not fit the charset that was named.
    BadCharset,
    /// A delivery status stood in a part of another type, or in plain text.
    StatusOutOfPlace,
    /// Fields of a delivery status were misspelt or malformed.
    StatusRepaired,
    /// It is a bounce, but no recipient was found in it.
    NoRecipient,
    /// The recipient was taken from the returned message, since the report does not name it.
    RecipientFromReturned,
    /// The report lay inside a forwarded mail.
    Forwarded,
    /// An automatic answer says that the person is no longer there.
    PersonGone,
    /// An automatic answer wants the sender to prove that a person wrote.
    Challenge,
    /// Our own relay says that the account reached its sending limit.
    SendingLimit,
    /// Status and words of a report do not agree.
    Conflict,
}

impl Finding {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::TooManyParts => "too_many_parts",
            Self::TooManyReports => "too_many_reports",
            Self::Broken => "broken",
            Self::BadEncoding => "bad_encoding",
            Self::BadCharset => "bad_charset",
            Self::StatusOutOfPlace => "status_out_of_place",
            Self::StatusRepaired => "status_repaired",
            Self::NoRecipient => "no_recipient",
            Self::RecipientFromReturned => "recipient_from_returned",
            Self::Forwarded => "forwarded",
            Self::PersonGone => "person_gone",
            Self::Challenge => "challenge",
            Self::SendingLimit => "sending_limit",
            Self::Conflict => "conflict",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "the mail is longer than what was read of it",
            Self::TooManyParts => "the mail has more parts than were read",
            Self::TooManyReports => "the mail speaks of more recipients than were reported",
            Self::Broken => "the mail has no header or no text",
            Self::BadEncoding => "a part is not encoded as it says",
            Self::BadCharset => "a text does not fit the charset that it names",
            Self::StatusOutOfPlace => "the delivery status stands in a part of another type",
            Self::StatusRepaired => "the delivery status has malformed fields",
            Self::NoRecipient => "a bounce, but no recipient is named in it",
            Self::RecipientFromReturned => "the recipient comes from the returned message",
            Self::Forwarded => "the report lay inside a forwarded mail",
            Self::PersonGone => "the answer says that the person is no longer there",
            Self::Challenge => "the answer asks the sender to confirm",
            Self::SendingLimit => "our relay says that its sending limit is reached",
            Self::Conflict => "status and words of the report do not agree",
        })
    }
}

/// What the reporter did (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet delivered; it goes on trying.
    Delayed,
    /// Delivered.
    Delivered,
    /// Handed to a system that sends no notifications.
    Relayed,
    /// Delivered to a list or to several addresses.
    Expanded,
}

impl Action {
    /// The word in the report and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}

/// What a feedback report is about (RFC 5965 section 7.3 and its registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedbackType {
    /// A person says spam.
    Abuse,
    /// Phishing or the like.
    Fraud,
    /// A virus.
    Virus,
    /// Some other kind of complaint.
    Other,
    /// The person wants to leave the list.
    OptOut,
    /// SPF, DKIM or DMARC failed (RFC 6591); for the owner of the domain, never a complaint.
    AuthFailure,
    /// A person says that it is no spam.
    NotSpam,
}

impl FeedbackType {
    /// The type of a word in a report or of a provider: the registered ones and what is written in their place; `None`
    /// for types that nobody registered.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().replace('_', "-").as_str() {
            "abuse" | "complaint" | "spam" | "unsolicited" => Some(Self::Abuse),
            "fraud" | "phishing" => Some(Self::Fraud),
            "virus" | "malware" => Some(Self::Virus),
            "other" => Some(Self::Other),
            "opt-out" | "opt-out-list" | "optout" | "unsubscribe" => Some(Self::OptOut),
            "auth-failure"
            | "authfailure"
            | "dkim"
            | "dmarc"
            | "spf"
            | "authentication-failure" => Some(Self::AuthFailure),
            "not-spam" | "notspam" | "miscategorized" | "ham" => Some(Self::NotSpam),
            _ => None,
        }
    }

    /// The reason that goes with it.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Abuse | Self::Fraud | Self::Virus | Self::Other => Reason::Complaint,
            Self::OptOut => Reason::OptOut,
            Self::AuthFailure => Reason::AuthReport,
            Self::NotSpam => Reason::NotSpam,
        }
    }

    /// The word in the report and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Abuse => "abuse",
            Self::Fraud => "fraud",
            Self::Virus => "virus",
            Self::Other => "other",
            Self::OptOut => "opt-out",
            Self::AuthFailure => "auth-failure",
            Self::NotSpam => "not-spam",
        }
    }
}

/// How sure a conclusion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// Guessed from little.
    Low,
    /// From the code alone, or from words that are used in several senses.
    Medium,
    /// Status, code and words agree, or the provider is known to mean this.
    High,
}

impl Confidence {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
