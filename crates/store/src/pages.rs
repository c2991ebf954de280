//! What a campaign's report as a page needs beside the counters: time, mailbox providers, opt-outs.
//!
//! Called by cli for `campaign report --html`. The rows are counted one by one, once for each page. Reads only.

use crate::backend::{Named, read};
use crate::reports::{provider_of, state_of};
use crate::sql::sql;
use crate::{Result, Store};
use postroad_model::delivery::DeliveryState;
use postroad_model::{CampaignId, MailboxProvider, Timestamp};

sql! {
    both PAGE_SPAN = "page_span";
    both PAGE_SLOTS = "page_slots";
    both PAGE_PROVIDERS = "page_providers";
    both PAGE_UNSUBSCRIBED = "page_unsubscribed";
}

/// How many recipients were accepted when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverTime {
    /// When the first was.
    pub from: Timestamp,
    /// When the last was.
    pub to: Timestamp,
    /// Milliseconds that each number stands for.
    pub step_ms: i64,
    /// From the beginning on.
    pub slots: Vec<i64>,
}

impl Store {
    /// Accepted recipients of a campaign over time, in `slots` stretches at most; `None` when there are none.
    ///
    /// # Errors
    /// The database's.
    pub async fn accepted_over_time(&self, id: CampaignId, slots: i64) -> Result<Option<OverTime>> {
        let span: (Option<i64>, Option<i64>) = read!(self, |c, e| {
            sqlx::query_as(PAGE_SPAN.of(e)).bind(id.0).fetch_one(&mut *c).await.named(&PAGE_SPAN)
        })?;
        let (Some(from), Some(to)) = span else { return Ok(None) };
        let slots = slots.max(1);
        // Rounded up, so that the last moment is in the last stretch.
        let step_ms = ((to - from) / slots + 1).max(1);
        let found: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(PAGE_SLOTS.of(e))
                .bind(id.0)
                .bind(from)
                .bind(step_ms)
                .fetch_all(&mut *c)
                .await
                .named(&PAGE_SLOTS)
        })?;
        let last = usize::try_from((to - from) / step_ms).unwrap_or(0);
        let mut counts = vec![0; last + 1];
        for (slot, n) in found {
            // Rows that were accepted between the two statements fall into the last stretch.
            let slot = usize::try_from(slot).unwrap_or(0).min(last);
            counts[slot] += n;
        }
        Ok(Some(OverTime { from: Timestamp(from), to: Timestamp(to), step_ms, slots: counts }))
    }

    /// A campaign's audience by mailbox provider and state.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn states_by_provider(
        &self,
        id: CampaignId,
    ) -> Result<Vec<(MailboxProvider, DeliveryState, i64)>> {
        let rows: Vec<(i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(PAGE_PROVIDERS.of(e))
                .bind(id.0)
                .fetch_all(&mut *c)
                .await
                .named(&PAGE_PROVIDERS)
        })?;
        rows.into_iter().map(|(p, s, n)| Ok((provider_of(p), state_of(s, id.0)?, n))).collect()
    }

    /// People who opted out through a campaign's links.
    ///
    /// # Errors
    /// The database's.
    pub async fn opted_out(&self, id: CampaignId) -> Result<i64> {
        read!(self, |c, e| {
            sqlx::query_scalar(PAGE_UNSUBSCRIBED.of(e))
                .bind(id.0)
                .fetch_one(&mut *c)
                .await
                .named(&PAGE_UNSUBSCRIBED)
        })
    }
}
