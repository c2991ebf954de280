//! The closed lists of label values.
//!
//! A label whose values are not listed here is the name of a campaign, relay or limit: things that the operator
//! names. Anything that a stranger could choose (addresses, domains, reply texts) is never a label.

use postroad_model::delivery::DeliveryState;
use postroad_model::verdict::{BounceKind, Reason};

/// What became of a message: the states in which a delivery ends, and the deferral that brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageResult {
    /// A relay took it.
    Accepted,
    /// The recipient's side asked us to come again.
    Deferred,
    /// A relay refused it for good.
    Rejected,
    /// The reply to the final dot was lost.
    Unknown,
    /// Suppressed before it was sent.
    Suppressed,
    /// Its campaign's time was over.
    Expired,
    /// Its campaign was cancelled.
    Cancelled,
    /// Ours: it cannot be sent as it is.
    Failed,
    /// Accepted, and a DSN said later that it did not arrive.
    Bounced,
}

impl MessageResult {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Accepted,
        Self::Deferred,
        Self::Rejected,
        Self::Unknown,
        Self::Suppressed,
        Self::Expired,
        Self::Cancelled,
        Self::Failed,
        Self::Bounced,
    ];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => DeliveryState::Accepted.as_str(),
            Self::Deferred => "deferred",
            Self::Rejected => DeliveryState::Rejected.as_str(),
            Self::Unknown => DeliveryState::Unknown.as_str(),
            Self::Suppressed => DeliveryState::Suppressed.as_str(),
            Self::Expired => DeliveryState::Expired.as_str(),
            Self::Cancelled => DeliveryState::Cancelled.as_str(),
            Self::Failed => DeliveryState::Failed.as_str(),
            Self::Bounced => DeliveryState::Bounced.as_str(),
        }
    }

    /// The result that a state is; `None` while the delivery is still open.
    #[must_use]
    pub fn of(state: DeliveryState) -> Option<Self> {
        match state {
            DeliveryState::Scheduled | DeliveryState::Leased | DeliveryState::Sending => None,
            DeliveryState::Accepted => Some(Self::Accepted),
            DeliveryState::Rejected => Some(Self::Rejected),
            DeliveryState::Unknown => Some(Self::Unknown),
            DeliveryState::Suppressed => Some(Self::Suppressed),
            DeliveryState::Expired => Some(Self::Expired),
            DeliveryState::Cancelled => Some(Self::Cancelled),
            DeliveryState::Failed => Some(Self::Failed),
            DeliveryState::Bounced => Some(Self::Bounced),
        }
    }
}

/// The class of a reply or of an HTTP status: its first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyClass {
    /// Done.
    Success,
    /// Go on.
    Intermediate,
    /// Not now; for HTTP, the client's fault.
    Transient,
    /// No; for HTTP, ours.
    Permanent,
    /// No code at all.
    None,
}

impl ReplyClass {
    /// The class of a code.
    #[must_use]
    pub fn of_code(code: u16) -> Self {
        match code / 100 {
            2 => Self::Success,
            3 => Self::Intermediate,
            4 => Self::Transient,
            5 => Self::Permanent,
            _ => Self::None,
        }
    }

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Intermediate => "3xx",
            Self::Transient => "4xx",
            Self::Permanent => "5xx",
            Self::None => "none",
        }
    }
}

/// What a connection to a relay is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Being opened: TCP, TLS, EHLO, AUTH.
    Opening,
    /// Open, without a message.
    Idle,
    /// With a message on it.
    Busy,
}

impl ConnectionState {
    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Idle => "idle",
            Self::Busy => "busy",
        }
    }
}

/// A route of the two HTTP listeners; paths themselves hold tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpRoute {
    /// `/u/TOKEN`.
    Unsubscribe,
    /// `/v/TOKEN`.
    View,
    /// `/o/TOKEN.gif`.
    Open,
    /// `/hook/NAME`.
    Hook,
    /// `/metrics`.
    Metrics,
    /// `/healthz` and `/readyz`.
    Health,
    /// Anything else.
    Other,
}

impl HttpRoute {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Unsubscribe,
        Self::View,
        Self::Open,
        Self::Hook,
        Self::Metrics,
        Self::Health,
        Self::Other,
    ];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsubscribe => "unsubscribe",
            Self::View => "view",
            Self::Open => "open",
            Self::Hook => "hook",
            Self::Metrics => "metrics",
            Self::Health => "health",
            Self::Other => "other",
        }
    }
}

/// The label of a lane's pause: the operator's, one of the reasons of replies, or `other`. The text itself may
/// quote a relay and is no label.
#[must_use]
pub fn pause_reason(by: &str, reason: &str) -> &'static str {
    if by == "operator" {
        return "operator";
    }
    let word = reason.split([' ', ':', ';', ',']).next().unwrap_or_default();
    Reason::from_name(&word.to_ascii_lowercase()).map_or("other", Reason::as_str)
}

/// What a brake is labelled as set by.
#[must_use]
pub fn brake_setter(by: &str) -> &'static str {
    ["delivery", "feedback", "placement", "operator"]
        .into_iter()
        .find(|known| *known == by)
        .unwrap_or("other")
}

/// The label of a kind of what came back.
#[must_use]
pub fn bounce_kind(kind: BounceKind) -> &'static str {
    match kind {
        BounceKind::Hard => "hard",
        BounceKind::Soft => "soft",
        BounceKind::Block => "block",
        BounceKind::Complaint => "complaint",
        BounceKind::AutoReply => "autoreply",
        BounceKind::Other => "other",
    }
}

/// The kinds that a campaign's counters have from its start, each with its usual reason.
pub(crate) const USUAL_BOUNCES: [(BounceKind, Reason); 3] = [
    (BounceKind::Hard, Reason::BadMailbox),
    (BounceKind::Soft, Reason::MailboxFull),
    (BounceKind::Block, Reason::ReputationBlock),
];

/// What is looked at before a sending domain is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreflightCheck {
    /// The envelope domain has one SPF record.
    Spf,
    /// The DKIM key is published and is ours.
    Dkim,
    /// There is a DMARC record.
    Dmarc,
    /// The bounce domain has a mail host.
    Mx,
}

impl PreflightCheck {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Spf, Self::Dkim, Self::Dmarc, Self::Mx];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::Mx => "mx",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_ends_a_delivery_is_a_result_of_the_same_name() {
        for state in DeliveryState::ALL {
            let label = MessageResult::of(state).map(MessageResult::as_str);
            assert_eq!(label, (!state.is_open()).then(|| state.as_str()));
        }
    }

    #[test]
    fn who_set_a_brake_is_labelled_from_a_closed_list() {
        assert_eq!(brake_setter("feedback"), "feedback");
        assert_eq!(brake_setter("anna@example.com"), "other");
    }

    #[test]
    fn a_pause_is_labelled_from_a_closed_list() {
        let check = |by, reason, label| assert_eq!(pause_reason(by, reason), label, "{reason}");
        check("operator", "maintenance of anna@example.com", "operator");
        check("engine", "quota: 550 5.4.5 Daily user sending limit exceeded", "quota");
        check("engine", "login", "login");
        check("engine", "421 come back later", "other");
        check("engine", "", "other");
    }
}
