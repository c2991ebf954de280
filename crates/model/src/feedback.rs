//! What comes back moves rows and counts against addresses: the transitions and the policy, as pure rules.
//!
//! `feedback` finds the delivery and asks here; `store` applies the answer in one transaction. The defaults of the policy
//! are the table of docs/guide/bounces.md. What must always hold: evidence never takes a row off the wire
//! (`DeliveryState::Sending` waits for its own reply), and a block of us has no rule that counts against an address.

use crate::Timestamp;
use crate::delivery::DeliveryState;
use crate::verdict::{BounceKind, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What a report proves about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// It did not arrive and will not.
    Returned,
    /// It arrived: a delivery notice, a complaint, an automatic answer, an opened message.
    Arrived,
    /// The relay had taken it: a copy lies in its Sent folder, or it says that it still tries.
    Taken,
    /// Our own relay took it and gave it up because the account's quota is used up.
    Quota,
    /// Nothing.
    Nothing,
}

impl DeliveryState {
    /// The state after evidence about the row's latest copy; `None` when nothing changes.
    #[must_use]
    pub fn after_evidence(self, evidence: Evidence) -> Option<Self> {
        match (self, evidence) {
            (Self::Accepted | Self::Unknown, Evidence::Returned) => Some(Self::Bounced),
            (Self::Unknown, Evidence::Arrived | Evidence::Taken) => Some(Self::Accepted),
            (Self::Accepted | Self::Unknown, Evidence::Quota) => Some(Self::Scheduled),
            (_, _) => None,
        }
    }
}

/// When a rule takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Threshold {
    /// After so many reports of the same reason; 1 is at once.
    pub after: u32,
    /// Within this time.
    pub within: Duration,
    /// Of at least so many campaigns (addresses only).
    pub campaigns: u32,
    /// The first and the last at least this far apart (addresses only).
    pub apart: Duration,
}

impl Threshold {
    /// The first report is enough.
    pub const AT_ONCE: Self =
        Self { after: 1, within: Duration::from_secs(DAY), campaigns: 1, apart: Duration::ZERO };

    /// After so many within a time.
    #[must_use]
    pub const fn after(after: u32, within: Duration) -> Self {
        Self { after, within, campaigns: 1, apart: Duration::ZERO }
    }

    /// Whether an address' reports of one reason reach it; `strikes` in any order.
    #[must_use]
    pub fn is_reached(&self, strikes: &[Strike], now: Timestamp) -> bool {
        let within = i64::try_from(self.within.as_millis()).unwrap_or(i64::MAX);
        let counted = || strikes.iter().filter(|s| now.since_ms(s.at) <= within);
        let mut campaigns: Vec<_> = counted().map(|s| s.campaign).collect();
        let n = campaigns.len();
        campaigns.sort_unstable();
        campaigns.dedup();
        let (first, last) = (counted().map(|s| s.at).min(), counted().map(|s| s.at).max());
        let apart = first.zip(last).map_or(Duration::ZERO, |(first, last)| first.until(last));
        n >= self.after as usize
            && campaigns.len() >= self.campaigns as usize
            && apart >= self.apart
    }
}

/// One report that counts against an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Its campaign.
    pub campaign: i64,
    /// When.
    pub at: Timestamp,
}

/// What is done once a rule's threshold is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Nothing; it is recorded and counted.
    Nothing,
    /// The address is mailed no more.
    Suppress(Threshold),
    /// The relay rests for that mailbox provider.
    BackOff(Rest),
    /// The relay rests.
    PauseRelay(Rest),
    /// Campaigns with that From domain are held until the operator resumes them.
    StopDomain(Threshold),
    /// The campaign is held until the operator resumes it.
    HoldCampaign(Threshold),
    /// The person leaves the campaign's lists.
    Unsubscribe,
}

/// A rest of some time, after a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Rest {
    /// How long.
    pub pause: Duration,
    /// When it begins.
    pub threshold: Threshold,
}

impl Act {
    /// The name in the configuration and in explanations.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Suppress(_) => "suppress",
            Self::BackOff(_) => "back_off",
            Self::PauseRelay(_) => "pause_relay",
            Self::StopDomain(_) => "stop_domain",
            Self::HoldCampaign(_) => "hold_campaign",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// What is done about what comes back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BouncePolicy {
    /// How long mails that were not understood are kept for `bounce review`.
    pub keep_raw: Duration,
    /// The act for each reason; a reason that is not here has none.
    pub acts: BTreeMap<Reason, Act>,
    /// When campaigns are held.
    pub brakes: Brakes,
}

/// Rates at which a campaign is held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brakes {
    /// Part of the sent messages that were complained about.
    pub complaints: f64,
    /// Part of the sent messages whose address is dead.
    pub hard: f64,
    /// Part of the sent messages that somebody blocked.
    pub blocks: f64,
    /// No rate is judged before so many messages were sent.
    pub minimum: u32,
    /// How long a relay rests for a mailbox provider whose rate alone is too high.
    pub pause: Duration,
}

/// A rate needs this many reports besides [`Brakes::minimum`]: one person's complaint is no rate.
pub const MIN_REPORTS: i64 = 3;

/// Counts that a rate is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Messages sent.
    pub sent: i64,
    /// Complaints.
    pub complaints: i64,
    /// Dead addresses.
    pub hard: i64,
    /// Blocks.
    pub blocks: i64,
}

impl Counted {
    /// What was counted since an earlier count.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            complaints: self.complaints - earlier.complaints,
            hard: self.hard - earlier.hard,
            blocks: self.blocks - earlier.blocks,
        }
    }
}

/// A rate that is too high.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooHigh {
    /// `complaints`, `hard bounces` or `blocks`.
    pub what: &'static str,
    /// How many.
    pub n: i64,
    /// Of how many sent.
    pub sent: i64,
    /// The part that is allowed.
    pub allowed: f64,
}

impl std::fmt::Display for TooHigh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, n, sent, allowed } = self;
        let (is, allowed) = (percent(*n, *sent), allowed * 100.0);
        write!(f, "{n} {what} in {sent} messages ({is:.2} %; {allowed:.2} % are allowed)")
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages stay far below 2^52")]
fn percent(n: i64, sent: i64) -> f64 {
    if sent <= 0 { 0.0 } else { n as f64 * 100.0 / sent as f64 }
}

impl Brakes {
    /// The first rate that is too high, the worst kind first.
    #[must_use]
    pub fn judge(&self, counted: &Counted) -> Option<TooHigh> {
        let Counted { sent, complaints, hard, blocks } = *counted;
        if sent < i64::from(self.minimum) {
            return None;
        }
        [
            ("complaints", complaints, self.complaints),
            ("hard bounces", hard, self.hard),
            ("blocks", blocks, self.blocks),
        ]
        .into_iter()
        .find(|(_, n, allowed)| *n >= MIN_REPORTS && percent(*n, sent) > allowed * 100.0)
        .map(|(what, n, allowed)| TooHigh { what, n, sent, allowed })
    }
}

impl Default for Brakes {
    fn default() -> Self {
        Self {
            complaints: 0.003,
            hard: 0.05,
            blocks: 0.1,
            minimum: 100,
            pause: Duration::from_secs(4 * HOUR),
        }
    }
}

impl Default for BouncePolicy {
    fn default() -> Self {
        let acts = Reason::all().map(|reason| (reason, default_act(reason))).collect();
        Self { keep_raw: Duration::from_secs(14 * DAY), acts, brakes: Brakes::default() }
    }
}

/// The table of docs/guide/bounces.md.
fn default_act(reason: Reason) -> Act {
    let days = |n| Duration::from_secs(n * DAY);
    let hour = Duration::from_secs(HOUR);
    let soft =
        |after| Act::Suppress(Threshold { campaigns: 2, ..Threshold::after(after, days(30)) });
    match reason {
        Reason::BadMailbox | Reason::NoMailService | Reason::SuppressedUpstream => {
            Act::Suppress(Threshold::AT_ONCE)
        }
        Reason::Complaint => Act::Suppress(Threshold::AT_ONCE),
        Reason::BadDomain => {
            Act::Suppress(Threshold { apart: days(1), ..Threshold::after(2, days(30)) })
        }
        Reason::MailboxDisabled => Act::Suppress(Threshold::after(2, days(7))),
        Reason::MailboxFull => soft(3),
        Reason::RecipientFilter => Act::Suppress(Threshold::after(3, days(30))),
        Reason::Expired | Reason::Network | Reason::RemoteSystem => soft(5),
        Reason::Unknown => soft(10),
        Reason::RateLimited => Act::BackOff(Rest {
            pause: Duration::from_secs(15 * MINUTE),
            threshold: Threshold::after(3, hour),
        }),
        Reason::ReputationBlock => {
            Act::BackOff(Rest { pause: hour, threshold: Threshold::after(3, hour) })
        }
        Reason::NoPtr | Reason::TlsFailed => {
            Act::PauseRelay(Rest { pause: hour, threshold: Threshold::after(3, hour) })
        }
        Reason::AuthFail => Act::StopDomain(Threshold::after(20, hour)),
        Reason::Virus => Act::HoldCampaign(Threshold::after(5, hour)),
        Reason::OptOut => Act::Unsubscribe,
        Reason::MessageTooBig
        | Reason::Greylisted
        | Reason::SpamContent
        | Reason::Policy
        | Reason::RelayDenied
        | Reason::Protocol
        | Reason::Quota
        | Reason::Login
        | Reason::AccountBlocked
        | Reason::SenderRefused
        | Reason::ServiceUnavailable
        | Reason::NeedsSmtputf8
        | Reason::AutoReply
        | Reason::AuthReport
        | Reason::NotSpam
        | Reason::Delivered => Act::Nothing,
    }
}

impl BouncePolicy {
    /// The act for a report. Words that say that a mailbox is closed for good make it a dead one; a mailbox that is dead
    /// only for now counts like trouble of its system; whoever blocks us does not count against the recipient.
    #[must_use]
    pub fn act(&self, reason: Reason, kind: BounceKind) -> Act {
        let reason = match (kind, reason) {
            (BounceKind::Hard, Reason::MailboxDisabled | Reason::RecipientFilter) => {
                Reason::BadMailbox
            }
            (BounceKind::Soft, Reason::BadMailbox | Reason::NoMailService) => Reason::RemoteSystem,
            (_, reason) => reason,
        };
        let act = self.acts.get(&reason).copied().unwrap_or(Act::Nothing);
        let blocked = kind == BounceKind::Block && reason != Reason::RecipientFilter;
        if blocked && matches!(act, Act::Suppress(_)) { Act::Nothing } else { act }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> Timestamp {
        Timestamp(n * 86_400_000)
    }

    #[test]
    fn evidence_moves_rows_along_the_transitions_that_are_drawn() {
        let all = [
            Evidence::Returned,
            Evidence::Arrived,
            Evidence::Taken,
            Evidence::Quota,
            Evidence::Nothing,
        ];
        for state in DeliveryState::ALL {
            for evidence in all {
                if let Some(next) = state.after_evidence(evidence) {
                    assert!(state.may_become(next), "{state:?} {evidence:?} {next:?}");
                    assert!(!state.is_open(), "{state:?} is a lane's");
                }
            }
        }
    }

    #[test]
    fn a_threshold_counts_reports_campaigns_and_the_time_between_them() {
        let check = |threshold: Threshold, strikes: &[(i64, i64)], expected| {
            let strikes: Vec<Strike> =
                strikes.iter().map(|(c, d)| Strike { campaign: *c, at: day(*d) }).collect();
            assert_eq!(threshold.is_reached(&strikes, day(40)), expected, "{strikes:?}");
        };
        let days = |n| Duration::from_secs(n * DAY);
        let full = Threshold { campaigns: 2, ..Threshold::after(3, days(30)) };
        check(Threshold::AT_ONCE, &[(1, 40)], true);
        check(Threshold::AT_ONCE, &[], false);
        check(full, &[(1, 20), (1, 30), (1, 40)], false);
        check(full, &[(1, 20), (2, 30), (2, 40)], true);
        check(full, &[(1, 5), (2, 30), (2, 40)], false);
        let apart = Threshold { apart: days(1), ..Threshold::after(2, days(30)) };
        check(apart, &[(1, 40), (2, 40)], false);
        check(apart, &[(1, 39), (2, 40)], true);
    }

    #[test]
    fn what_is_ours_to_mend_never_suppresses_an_address() {
        let policy = BouncePolicy::default();
        for reason in [
            Reason::ReputationBlock,
            Reason::NoPtr,
            Reason::AuthFail,
            Reason::SpamContent,
            Reason::Policy,
            Reason::Quota,
            Reason::SenderRefused,
            Reason::RateLimited,
        ] {
            for kind in [BounceKind::Hard, BounceKind::Soft, BounceKind::Block] {
                let act = policy.act(reason, kind);
                assert!(!matches!(act, Act::Suppress(_)), "{reason:?} {kind:?} {act:?}");
            }
        }
        let closed = policy.act(Reason::MailboxDisabled, BounceKind::Hard);
        assert_eq!(closed, Act::Suppress(Threshold::AT_ONCE));
        assert_eq!(policy.act(Reason::BadMailbox, BounceKind::Block), Act::Nothing);
        assert_ne!(policy.act(Reason::BadMailbox, BounceKind::Soft), closed);
    }

    #[test]
    fn a_rate_is_judged_after_a_minimum_and_named() {
        let check = |sent, complaints, hard, expected: Option<&str>| {
            let counted = Counted { sent, complaints, hard, blocks: 0 };
            let said = Brakes::default().judge(&counted).map(|x| x.to_string());
            assert_eq!(said.as_deref(), expected);
        };
        check(99, 50, 50, None);
        check(100, 2, 5, None);
        check(1_000, 3, 0, None);
        check(999, 3, 0, Some("3 complaints in 999 messages (0.30 %; 0.30 % are allowed)"));
        check(100, 0, 6, Some("6 hard bounces in 100 messages (6.00 %; 5.00 % are allowed)"));
    }
}
