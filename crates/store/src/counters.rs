//! Counters by (campaign, role, lane, state), summed on read.
//!
//! Every write that moves a row moves its counters in the same transaction. A single row of the table may be
//! negative (a lane leases rows that were counted under no lane); only the sums over lanes mean something.
//! Codes from [`TALLY_DEFERRED`] on count happenings, not rows.

use crate::sql::sql;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, RelayId};
use std::collections::BTreeMap;

sql! {
    each COUNTERS_ADD = "counters_add";
}

/// The code under which deferrals are tallied.
pub const TALLY_DEFERRED: i64 = 100;

/// A change of one counter, or a pair for a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delta {
    campaign: i64,
    role: i64,
    relay: i64,
    minus: Option<i64>,
    plus: i64,
}

impl Delta {
    pub(crate) fn moved(
        campaign: CampaignId,
        role: Role,
        relay: RelayId,
        from: DeliveryState,
        to: DeliveryState,
    ) -> Self {
        Self {
            campaign: campaign.0,
            role: role.code(),
            relay: relay.0,
            minus: Some(from.code()),
            plus: to.code(),
        }
    }

    pub(crate) fn tally(campaign: CampaignId, role: Role, relay: RelayId, code: i64) -> Self {
        Self { campaign: campaign.0, role: role.code(), relay: relay.0, minus: None, plus: code }
    }
}

/// The JSON batch of all changes, added up and in key order; `None` when they cancel out.
pub(crate) fn batch(deltas: &[Delta]) -> Option<String> {
    let mut sums: BTreeMap<(i64, i64, i64, i64), i64> = BTreeMap::new();
    for d in deltas {
        *sums.entry((d.campaign, d.role, d.relay, d.plus)).or_default() += 1;
        if let Some(minus) = d.minus {
            *sums.entry((d.campaign, d.role, d.relay, minus)).or_default() -= 1;
        }
    }
    let rows: Vec<_> = sums
        .into_iter()
        .filter(|(_, n)| *n != 0)
        .map(|((c, o, r, s), n)| serde_json::json!({"c": c, "o": o, "r": r, "s": s, "n": n}))
        .collect();
    (!rows.is_empty()).then(|| serde_json::Value::Array(rows).to_string())
}

/// Adds deltas inside a `tx!` body.
macro_rules! add_counters {
    ($c:expr, $e:expr, $deltas:expr) => {
        if let Some(batch) = $crate::counters::batch(&$deltas) {
            sqlx::query($crate::counters::COUNTERS_ADD.of($e))
                .bind(batch)
                .execute(&mut *$c)
                .await
                .named(&$crate::counters::COUNTERS_ADD)?;
        }
    };
}
pub(crate) use add_counters;
