//! What a reply means and what to do about it: the classifier (`bounce`) writes it, delivery and feedback act on it.
//!
//! What is ours to fix is never the recipient's fault: only scope `Recipient` may count against an address.

use serde::{Deserialize, Serialize};

/// Whom or what a reply concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This connection only: open another one.
    Connection,
    /// The relay as a whole (an endpoint in trouble, TLS, our IP).
    Relay,
    /// The account at the relay: quota, credentials, suspension.
    Account,
    /// The sender address or domain that we used.
    Sender,
    /// This recipient.
    Recipient,
    /// This message: size, content, format.
    Message,
}

/// Why, in the words of the bounce table of the user's guide (docs/guide/bounces.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No such mailbox.
    BadMailbox,
    /// The domain does not exist or has no mail host.
    BadDomain,
    /// The domain says that it takes no mail (RFC 7505).
    NoMailService,
    /// The mailbox is disabled or suspended.
    MailboxDisabled,
    /// The mailbox is full.
    MailboxFull,
    /// The message is larger than the recipient or relay takes.
    MessageTooBig,
    /// The far side was not reached in time.
    Expired,
    /// Routing or network trouble behind the relay.
    Network,
    /// The far system has a fault of its own.
    RemoteSystem,
    /// Too fast, too many connections, greylisting.
    RateLimited,
    /// Greylisting: the same sender, recipient and address must come again later.
    Greylisted,
    /// Our IP, domain or URL has a bad name there.
    ReputationBlock,
    /// No or wrong reverse DNS.
    NoPtr,
    /// SPF, DKIM or DMARC failed.
    AuthFail,
    /// The content was judged as spam.
    SpamContent,
    /// The content was judged as a virus or a forbidden attachment.
    Virus,
    /// Refused by a policy that is not one of the above.
    Policy,
    /// The recipient's own filter refused.
    RecipientFilter,
    /// The host does not relay for that domain.
    RelayDenied,
    /// TLS could not be had.
    TlsFailed,
    /// A fault of protocol: ours or the relay's.
    Protocol,
    /// The relay's own suppression list.
    SuppressedUpstream,
    /// The account's quota at the relay is used up.
    Quota,
    /// The relay refused our credentials.
    Login,
    /// The relay closed the account or holds it.
    AccountBlocked,
    /// The relay may not send as this From or MAIL FROM.
    SenderRefused,
    /// The relay is closing or full, no more to be read from it.
    ServiceUnavailable,
    /// The address or message needs SMTPUTF8 and the far side has none.
    NeedsSmtputf8,
    /// A feedback report: the person pressed "spam".
    Complaint,
    /// The person asked to be left out.
    OptOut,
    /// A report that SPF, DKIM or DMARC failed for mail of our domain; for the domain's owner, never the contact's.
    AuthReport,
    /// A feedback report: the person says that it is no spam.
    NotSpam,
    /// An automatic answer.
    AutoReply,
    /// A notice that the mail arrived.
    Delivered,
    /// Not understood.
    Unknown,
}

impl Reason {
    /// All reasons, with the names that labels and tables use: those that serde writes.
    const NAMES: [(Self, &'static str); 35] = [
        (Self::BadMailbox, "bad_mailbox"),
        (Self::BadDomain, "bad_domain"),
        (Self::NoMailService, "no_mail_service"),
        (Self::MailboxDisabled, "mailbox_disabled"),
        (Self::MailboxFull, "mailbox_full"),
        (Self::MessageTooBig, "message_too_big"),
        (Self::Expired, "expired"),
        (Self::Network, "network"),
        (Self::RemoteSystem, "remote_system"),
        (Self::RateLimited, "rate_limited"),
        (Self::Greylisted, "greylisted"),
        (Self::ReputationBlock, "reputation_block"),
        (Self::NoPtr, "no_ptr"),
        (Self::AuthFail, "auth_fail"),
        (Self::SpamContent, "spam_content"),
        (Self::Virus, "virus"),
        (Self::Policy, "policy"),
        (Self::RecipientFilter, "recipient_filter"),
        (Self::RelayDenied, "relay_denied"),
        (Self::TlsFailed, "tls_failed"),
        (Self::Protocol, "protocol"),
        (Self::SuppressedUpstream, "suppressed_upstream"),
        (Self::Quota, "quota"),
        (Self::Login, "login"),
        (Self::AccountBlocked, "account_blocked"),
        (Self::SenderRefused, "sender_refused"),
        (Self::ServiceUnavailable, "service_unavailable"),
        (Self::NeedsSmtputf8, "needs_smtputf8"),
        (Self::Complaint, "complaint"),
        (Self::OptOut, "opt_out"),
        (Self::AuthReport, "auth_report"),
        (Self::NotSpam, "not_spam"),
        (Self::AutoReply, "auto_reply"),
        (Self::Delivered, "delivered"),
        (Self::Unknown, "unknown"),
    ];

    /// All reasons.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().map(|(reason, _)| *reason)
    }

    /// The name in reports, tables and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(reason, _)| *reason == self).map_or("unknown", |(_, name)| name)
    }

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, n)| *n == name).map(|(reason, _)| *reason)
    }
}

/// How lasting it is, and whose fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BounceKind {
    /// The address is dead.
    Hard,
    /// It may work another time.
    Soft,
    /// Somebody blocks us; the address may be fine.
    Block,
    /// A person complained.
    Complaint,
    /// An automatic answer, no bounce.
    AutoReply,
    /// None of these.
    Other,
}

impl BounceKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Hard, Self::Soft, Self::Block, Self::Complaint, Self::AutoReply, Self::Other];

    /// Back from the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name in JSON, tables and metrics: the one that serde writes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Block => "block",
            Self::Complaint => "complaint",
            Self::AutoReply => "autoreply",
            Self::Other => "other",
        }
    }
}

/// What the engine does with the row and the lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Disposition {
    /// Taken: the row is Accepted.
    Accept,
    /// The recipient's side defers: the row waits, `tries` grows, MAIL FROM stays the same.
    Defer,
    /// Final for this recipient: the row is Rejected.
    Reject,
    /// The row goes back uncounted and may be blocked five times before it fails.
    BlockRow,
    /// The row goes back uncounted, the connection is closed, another is opened.
    Reconnect,
    /// The row goes back uncounted; the named limit (or all of the relay) counts as full for a while.
    QuotaFull {
        /// Name of the limit in the relay's profile; `None` when the reply does not say which.
        limit: Option<String>,
    },
    /// The row goes back uncounted; the lane pauses for this many seconds.
    PauseLane {
        /// Seconds; the engine doubles it while the reason lasts.
        seconds: u32,
    },
    /// The row goes back uncounted; the lane stops until the operator resumes it.
    StopLane,
    /// What came after the final dot is no reply and says nothing: the row is Unknown.
    Unknown,
    /// Ours: this message cannot be sent through any relay as it is; the row is Failed.
    FailMessage,
}

/// A classified reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verdict {
    /// Whom it concerns.
    pub scope: Scope,
    /// Why.
    pub reason: Reason,
    /// How lasting.
    pub kind: BounceKind,
    /// What to do.
    pub disposition: Disposition,
    /// The rule that decided, for `explain`.
    pub rule: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reasons_name_is_the_one_that_serde_writes() {
        for reason in Reason::all() {
            let written = serde_json::to_value(reason).unwrap();
            assert_eq!(written.as_str(), Some(reason.as_str()));
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
        }
    }
}
