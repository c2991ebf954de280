//! Behaviours of well-known relays, with the replies that they really give.
//!
//! Used by the demo and by `postroad sink --like gmail`. Texts and extensions are those of the operators'
//! own pages and of replies seen in the field (November 2026); where a relay refuses its quota is not
//! published, so any phase can be chosen.

use crate::{
    behaviour::{Behaviour, Extension, Quota, QuotaScope, QuotaUnit, RefuseAt},
    reply::Reply,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Accepts everything.
pub fn plain() -> Behaviour {
    Behaviour::default()
}

/// A Gmail account: so many recipients in any 24 hours, then 550 5.4.5 (500 for a free account).
pub fn gmail(recipients_per_day: u64, refuse_at: RefuseAt) -> Behaviour {
    let limit = Reply::new(
        550,
        (5, 4, 5),
        "Daily user sending limit exceeded. For more information on Gmail\n\
         sending limits go to\n \
         https://support.google.com/a/answer/166852 - gsmtp",
    );
    Behaviour {
        hide: vec![Extension::Dsn],
        quotas: vec![Quota {
            amount: recipients_per_day,
            window_ms: DAY_MS,
            unit: QuotaUnit::Recipients,
            scope: QuotaScope::Account,
            refuse_at,
            reply: limit,
        }],
        accepted: Some(Reply::new(250, (2, 0, 0), "OK  {id} - gsmtp")),
        ..Behaviour::default()
    }
}

/// An Amazon SES account: so many recipients a second and in any 24 hours, then 454 after the dot. It has
/// neither PIPELINING nor enhanced statuses.
pub fn ses(recipients_per_second: u64, recipients_per_day: u64) -> Behaviour {
    let quota = |amount, window_ms, text| Quota {
        amount,
        window_ms,
        unit: QuotaUnit::Recipients,
        scope: QuotaScope::Server,
        refuse_at: RefuseAt::Dot,
        reply: Reply::bare(454, text),
    };
    Behaviour {
        hide: vec![
            Extension::Pipelining,
            Extension::Dsn,
            Extension::Chunking,
            Extension::Smtputf8,
            Extension::EnhancedStatusCodes,
        ],
        quotas: vec![
            quota(
                recipients_per_second,
                1_000,
                "Throttling failure: Maximum sending rate exceeded.",
            ),
            quota(recipients_per_day, DAY_MS, "Throttling failure: Daily message quota exceeded."),
        ],
        accepted: Some(Reply::bare(250, "Ok 0102{id}-000000")),
        ..Behaviour::default()
    }
}
