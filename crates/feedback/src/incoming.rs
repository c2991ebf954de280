//! What comes back, in the two shapes in which it arrives: a mail, or events that a provider's webhook told.
//!
//! Made by the ways in (mailbox, listener, pipe, webhooks), taken by [`crate::Feedback`]. Nothing here is trusted:
//! which delivery something speaks of is decided by `correlate`, what it does by the policy. Everything is bounded by
//! those who make it; of a mail no more than `postroad_bounce::MAX_READ` is read.

use postroad_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A mail.
    Mail {
        /// The message as it came.
        bytes: Vec<u8>,
        /// The recipient of its envelope, where the way in knows it: the strongest sign there is.
        envelope_to: Option<String>,
        /// Which way it came.
        source: Source,
    },
    /// Events of a provider, already verified.
    Provider {
        /// The events.
        events: Vec<ProviderEvent>,
        /// Which way they came.
        source: Source,
    },
}

/// Which way something came, for `explain` and for the origin of suppressions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "way", content = "name")]
pub enum Source {
    /// A mailbox of the configuration, by its name.
    Mailbox(String),
    /// The bounce listener.
    Listener,
    /// `bounce process`, by the file or `stdin`.
    Process(String),
    /// A webhook of the configuration, by its name.
    Hook(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mailbox(name) => write!(f, "mailbox {name}"),
            Self::Listener => f.write_str("bounce listener"),
            Self::Process(name) => write!(f, "bounce process {name}"),
            Self::Hook(name) => write!(f, "webhook {name}"),
        }
    }
}

/// One event that a provider told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The recipient's address as it was told.
    pub recipient: Option<String>,
    /// What happened.
    pub what: ProviderWhat,
    /// Message-ID, ours or the provider's: with or without angle brackets.
    pub message_id: Option<String>,
    /// X-Postroad-Ref or the same token told another way (custom arguments, tags).
    pub postroad_ref: Option<String>,
    /// The provider's name for the event, for the record: what was told twice is known by delivery, copy and meaning,
    /// whichever way it came.
    pub provider_id: String,
    /// When it happened: the event's time, unless it lies ahead or days back.
    pub at: Option<Timestamp>,
}

/// What a provider says that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderWhat {
    /// It gave up.
    Bounce {
        /// Enhanced status, where told.
        status: Option<String>,
        /// SMTP reply code, where told.
        code: Option<u16>,
        /// The words of the far side, or the provider's.
        diagnostic: String,
        /// How the provider sees it.
        permanence: Permanence,
    },
    /// The person complained.
    Complaint {
        /// The provider's word for it (`abuse`, ...), where told.
        kind: Option<String>,
    },
    /// The recipient's side took it.
    Delivered,
    /// It is tried again.
    Deferred {
        /// The words of the far side.
        diagnostic: String,
    },
    /// The provider's own suppression list refused it.
    Suppressed {
        /// Why it stands there, in the provider's words.
        diagnostic: String,
    },
    /// The person asked to be left out, by the provider's own link or header.
    Unsubscribed,
    /// It was opened: a sign of life.
    Opened,
    /// A link was followed: a sign of life.
    Clicked,
}

/// How a provider sees a bounce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permanence {
    /// For good.
    Permanent,
    /// For now.
    Transient,
    /// It does not say.
    Unsaid,
}
