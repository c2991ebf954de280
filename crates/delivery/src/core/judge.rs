//! What a classified reply makes of the row and of the lane.
//!
//! Pure: reply and verdict in, settlement and effect out. What is ours to fix is never the recipient's fault: only
//! `Defer` and `Reject` count against an address.

use super::lane::Item;
use crate::retry::{NextTry, RetryPolicy};
use postroad_model::Timestamp;
use postroad_model::delivery::Detail;
use postroad_model::rank::row_seed;
use postroad_model::relay::{Relay, Senders};
use postroad_model::verdict::{Disposition, Reason, Scope, Verdict};
use postroad_store::{Blocked, Charged, Settled};

/// What the lane does beside settling the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// The relay took it: pauses start anew, a probe is over.
    Healthy,
    /// This connection is of no more use.
    Reconnect,
    /// A limit is used up.
    QuotaFull(Option<String>),
    /// The lane pauses; `None`: until the operator resumes it.
    Pause(Option<u32>),
    /// A policy block at a provider.
    Block,
}

/// A block's row waits this long before the next lane or try.
const BLOCK_WAIT_MS: i64 = 15 * 60_000;

pub(super) fn judge(
    item: &Item,
    verdict: &Verdict,
    relay: &Relay,
    retry: &RetryPolicy,
    now: Timestamp,
) -> (Settled, Effect) {
    let put_back = |ms: i64, blocked| Settled::PutBack { until: now.plus_ms(ms), blocked };
    match &verdict.disposition {
        Disposition::Accept => (Settled::Accepted, Effect::Healthy),
        Disposition::Reject => (Settled::Rejected, Effect::None),
        Disposition::Defer if verdict.scope == Scope::Recipient => {
            (deferred(item, verdict.reason, Charged::Recipient, relay, retry, now), Effect::None)
        }
        Disposition::Defer => {
            (deferred(item, verdict.reason, Charged::Nobody, relay, retry, now), Effect::Block)
        }
        Disposition::BlockRow => {
            (put_back(BLOCK_WAIT_MS * (item.leased.blocks + 1), Blocked::Yes), Effect::Block)
        }
        Disposition::Reconnect => (put_back(0, Blocked::No), Effect::Reconnect),
        Disposition::QuotaFull { limit } => {
            (put_back(0, Blocked::No), Effect::QuotaFull(limit.clone()))
        }
        Disposition::PauseLane { seconds } => {
            (put_back(0, Blocked::No), Effect::Pause(Some(*seconds)))
        }
        Disposition::StopLane => (put_back(0, Blocked::No), Effect::Pause(None)),
        Disposition::Unknown => (Settled::Unknown, Effect::Reconnect),
        Disposition::FailMessage => (Settled::Failed(fail_detail(verdict.reason)), Effect::None),
    }
}

fn deferred(
    item: &Item,
    reason: Reason,
    charged: Charged,
    relay: &Relay,
    retry: &RetryPolicy,
    now: Timestamp,
) -> Settled {
    let row = &item.leased;
    let seed = row_seed(row.id.id, row.rank);
    match retry.next(row.tries, row.first_leased_at, now, seed) {
        NextTry::GiveUp => Settled::Rejected,
        NextTry::At(until) => {
            // A relay that sends as itself is the only one with this identity: the row stays with it.
            let pinned_until = match (&relay.senders, reason) {
                (Senders::Itself(_), _) => Some(Timestamp(0)),
                (Senders::Domains(_) | Senders::Any, Reason::Greylisted) => {
                    Some(now.plus(retry.pin).max(until))
                }
                (Senders::Domains(_) | Senders::Any, _) => None,
            };
            Settled::Deferred {
                until,
                mail_from: item.mail_from.clone(),
                date: item.date,
                pinned_until,
                charged,
            }
        }
    }
}

fn fail_detail(reason: Reason) -> Detail {
    if reason == Reason::MessageTooBig {
        Detail::TooLarge
    } else if reason == Reason::NeedsSmtputf8 {
        Detail::NeedsSmtputf8
    } else {
        Detail::Blocked
    }
}
