//! What a message is made from, beside the template: the campaign's facts and one recipient's.
//!
//! Plain data, filled by whoever composes (delivery, check, test, web). Tokens come as text: they are minted by
//! `model::token`. Nothing here is read from a clock or the environment.

use postroad_model::address::Mailbox;
use postroad_model::{Domain, EmailAddress, Timestamp};
use serde_json::{Map, Value};

/// Language of generated words and of date and number formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Vietnamese.
    Vi,
}

impl Locale {
    /// Reads `en`, `vi` or a tag that begins so (`vi-VN`, `en_GB`).
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "vi" => Some(Self::Vi),
            _ => None,
        }
    }

    /// The language tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }
}

/// The list that List-Id names (RFC 2919).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFacts {
    /// The name people see.
    pub name: String,
    /// The label in front of the domain, e.g. `newsletter`; what is not a letter, digit, dot or hyphen becomes one.
    pub label: String,
    /// The domain that vouches for the label.
    pub domain: Domain,
}

/// What all messages of a campaign share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignFacts {
    /// The campaign's name; first field of Feedback-ID.
    pub name: String,
    /// From, unless the relay forces another.
    pub from: Mailbox,
    /// Reply-To.
    pub reply_to: Option<Mailbox>,
    /// List-Id; absent for mail that belongs to no list.
    pub list: Option<ListFacts>,
    /// `{{postal_address}}`.
    pub postal_address: Option<String>,
    /// What the unsubscribe token is appended to. Only an `https:` one makes one-click (RFC 8058).
    pub unsubscribe_base: Option<String>,
    /// What the view token is appended to.
    pub view_base: Option<String>,
    /// Where mail asking to unsubscribe goes; its subject carries the token.
    pub unsubscribe_mailto: Option<EmailAddress>,
    /// Last field of Feedback-ID, the same for all campaigns of a sender; the From domain when absent.
    pub sender_id: Option<String>,
    /// Right-hand side of Message-ID, unless the relay forces a From.
    pub message_id_domain: Domain,
    /// Language of helpers.
    pub locale: Locale,
    /// IANA zone of date helpers, e.g. `Asia/Ho_Chi_Minh`.
    pub zone: String,
}

/// What one message has of its own.
#[derive(Clone, Debug)]
pub struct RecipientFacts<'a> {
    /// To.
    pub address: &'a EmailAddress,
    /// The name in To, and `{{name}}`.
    pub name: Option<&'a str>,
    /// The contact's attributes, each a variable by its name.
    pub attributes: &'a Map<String, Value>,
    /// The delivery row's seed: Message-ID and boundaries derive from it.
    pub seed: u64,
    /// Date.
    pub date: Timestamp,
    /// Appended to `unsubscribe_base`, and in the subject of a mailto.
    pub unsubscribe_token: &'a str,
    /// Appended to `view_base`.
    pub view_token: &'a str,
    /// Address of the image at the end of the HTML part that tells of its opening; absent where opens are not counted.
    pub open_url: Option<&'a str>,
    /// X-Postroad-Ref.
    pub reference: &'a str,
    /// From as the relay forces it (a Gmail account sends as itself); the campaign's From becomes Reply-To.
    pub forced_from: Option<&'a Mailbox>,
}

impl CampaignFacts {
    /// The link behind `{{unsubscribe_url}}`: https where there is one, else a mailto.
    pub(crate) fn unsubscribe_url(&self, token: &str) -> Option<String> {
        match (&self.unsubscribe_base, &self.unsubscribe_mailto) {
            (Some(base), _) => Some(format!("{base}{token}")),
            (None, Some(address)) => Some(mailto(address, token)),
            (None, None) => None,
        }
    }
}

/// A mailto URI (RFC 6068) that carries the token in its subject.
pub(crate) fn mailto(address: &EmailAddress, token: &str) -> String {
    let local = crate::helpers::percent_encode(address.local());
    format!("mailto:{local}@{}?subject=unsubscribe%20{token}", address.domain().as_str())
}
