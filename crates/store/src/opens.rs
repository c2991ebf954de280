//! Opens: a fetched image is an event of its row, once for each kind, and counts in a small table by mailbox provider.
//!
//! Called by web for each fetch, and by its exporter and `campaign` for the sums. What a fetch was and proves is `OpenKind`'s
//! to say. What must always hold: a row counts once, under the surest kind that was seen; the count is written with the
//! event; only rows of the audience that a relay took count; nothing about a person who was erased is written. A row in
//! `Sending` is never touched: what is fetched before its reply is a filter's.

use crate::Error;
use crate::backend::{Named, read, tx};
use crate::feedback::{insert_event, lock_row, move_row, next_state};
use crate::feedback_words::{EventKind, NewFeedback, SentRow, Strength};
use crate::reports::provider_of;
use crate::sql::sql;
use crate::suppressions::repeat_on_conflict;
use crate::{Result, Store};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::open::OpenKind;
use postroad_model::{CampaignId, DeliveryId, MailboxProvider, Timestamp};
use std::collections::BTreeMap;

sql! {
    both OPEN_SEEN = "open_seen";
    both OPEN_TALLY = "open_tally";
    each OPENS_OF = "opens_of";
    both ACCEPTED_BY_PROVIDER = "accepted_by_provider";
}

/// Opened rows by mailbox provider and kind, each row once.
pub type OpenCounts = BTreeMap<(MailboxProvider, OpenKind), i64>;

/// What became of a fetched image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenRecorded {
    /// It is the first of its kind for the row, and is recorded.
    Fresh,
    /// It counts nowhere: seen before, no row of the audience that a relay took, or a person who was erased.
    Nothing,
}

/// The event's key.
fn key(id: DeliveryId, kind: OpenKind) -> String {
    format!("open:{kind}:{id}")
}

fn event(row: &SentRow, kind: OpenKind, now: Timestamp) -> NewFeedback {
    NewFeedback {
        key: key(row.id, kind),
        at: now,
        kind: match kind {
            OpenKind::Prefetch => EventKind::Prefetched,
            OpenKind::Proxy | OpenKind::Human => EventKind::Opened,
        },
        row: row.clone(),
        evidence: kind.evidence(),
        verdict: None,
        strength: Strength::Strong,
        said: (None, None, None),
        data: serde_json::json!({ "source": "image", "kind": kind.as_str() }).to_string(),
        suppress: None,
        full: None,
    }
}

/// Adds to one count inside a `tx!` body.
macro_rules! add {
    ($c:expr, $e:expr, $row:expr, $kind:expr, $n:expr) => {
        sqlx::query(OPEN_TALLY.of($e))
            .bind($row.campaign.0)
            .bind($row.provider.code())
            .bind($kind.as_str())
            .bind($n)
            .execute(&mut *$c)
            .await
            .named(&OPEN_TALLY)?
    };
}

impl Store {
    /// Records that the image of a row was fetched, the first time for each kind, and what follows: the row's state where its
    /// reply was lost, and the counts.
    ///
    /// # Errors
    /// The database's; then nothing was recorded.
    pub async fn record_open(
        &self,
        row: &SentRow,
        kind: OpenKind,
        now: Timestamp,
    ) -> Result<OpenRecorded> {
        if row.role != Role::Audience
            || row.address.is_none()
            || !kind.counts_in(row.state)
            || self.has_event(&key(row.id, kind)).await?
        {
            return Ok(OpenRecorded::Nothing);
        }
        let new = event(row, kind, now);
        repeat_on_conflict!(self.record_open_once(&new, kind, now))
    }

    async fn record_open_once(
        &self,
        new: &NewFeedback,
        kind: OpenKind,
        now: Timestamp,
    ) -> Result<OpenRecorded> {
        let keys = OpenKind::ALL.map(|kind| key(new.row.id, kind));
        tx!(self, |c, e| {
            let Some((row, from)) = lock_row!(c, e, new.row.id, now) else {
                return Ok(OpenRecorded::Nothing);
            };
            if !kind.counts_in(from) {
                return Ok(OpenRecorded::Nothing);
            }
            let seen: Vec<String> = sqlx::query_scalar(OPEN_SEEN.of(e))
                .bind(&keys[0])
                .bind(&keys[1])
                .bind(&keys[2])
                .fetch_all(&mut *c)
                .await
                .named(&OPEN_SEEN)?;
            if insert_event!(c, e, new).is_none() {
                return Ok(OpenRecorded::Nothing);
            }
            if let Some(to) = next_state(&row, from, new.evidence) {
                move_row!(c, e, new, row, from, to, now);
            }
            let counted = OpenKind::ALL.into_iter().rfind(|k| seen.contains(&key(new.row.id, *k)));
            if counted.is_none_or(|counted| counted < kind) {
                // The less sure one first: everybody locks the counts in this order.
                if let Some(counted) = counted {
                    add!(c, e, new.row, counted, -1_i64);
                }
                add!(c, e, new.row, kind, 1_i64);
            }
            Ok(OpenRecorded::Fresh)
        })
    }

    /// The opened rows of some campaigns, in one reading of the small table.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn opens_of(
        &self,
        campaigns: &[CampaignId],
    ) -> Result<BTreeMap<CampaignId, OpenCounts>> {
        let ids = crate::campaigns::json("campaign numbers", &campaigns)?;
        let lines: Vec<(i64, i64, String, i64)> = read!(self, |c, e| {
            sqlx::query_as(OPENS_OF.of(e)).bind(&ids).fetch_all(&mut *c).await.named(&OPENS_OF)
        })?;
        let mut all: BTreeMap<CampaignId, OpenCounts> = BTreeMap::new();
        for (campaign, provider, kind, n) in lines {
            let kind = OpenKind::from_name(&kind).ok_or_else(|| Error::Inconsistent {
                table: "open_tallies",
                column: "kind",
                id: campaign.to_string(),
            })?;
            all.entry(CampaignId(campaign)).or_default().insert((provider_of(provider), kind), n);
        }
        Ok(all)
    }

    /// A campaign's accepted rows by mailbox provider; counts the rows, so for reports only.
    ///
    /// # Errors
    /// The database's.
    pub async fn accepted_by_provider(
        &self,
        campaign: CampaignId,
    ) -> Result<BTreeMap<MailboxProvider, i64>> {
        let lines: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(ACCEPTED_BY_PROVIDER.of(e))
                .bind(campaign.0)
                .fetch_all(&mut *c)
                .await
                .named(&ACCEPTED_BY_PROVIDER)
        })?;
        Ok(lines.into_iter().map(|(provider, n)| (provider_of(provider), n)).collect())
    }
}
