//! The audience's way from contacts to delivery rows: pages of candidates, a stage in rank order, slices of rows.
//!
//! Called by `campaign::audience` under a once-only job. What must hold: each contact of the lists ends either as
//! one row or with one reason in `left_out`; every step is idempotent, so that a killed freeze goes on where it
//! stood; rows get their ids in the order of their ranks; no transaction writes more than [`SLICE`] rows.

use crate::backend::{Named, read, tx};
use crate::campaigns::json;
use crate::counters::{Delta, add_counters};
use crate::jobs::{JobLease, hold_job};
use crate::sql::sql;
use crate::{Engine, Error, Result, Store};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, ContactId, ListId, RelayId, Timestamp};
use serde::Serialize;

sql! {
    each AUDIENCE_PAGE = "audience_page";
    each AUDIENCE_SESSION = "audience_session";
    each AUDIENCE_STAGE_ADD = "audience_stage_add";
    both AUDIENCE_STAGE_COUNT = "audience_stage_count";
    both AUDIENCE_STAGE_DONE = "audience_stage_done";
    both AUDIENCE_STAGE_DROP = "audience_stage_drop";
    each LEFT_OUT_ADD = "left_out_add";
    both AUDIENCE_BUCKET = "audience_bucket";
    both AUDIENCE_INSERT = "audience_insert";
    both AUDIENCE_ERASED = "audience_erased";
    both AUDIENCE_CLOSE = "audience_close";
    both QUEUE_ADD = "queue_add";
    both AUDIENCE_MIX_ADD = "audience_mix_add";
    each PARTITION_EXISTS = "partition_exists";
}

/// Rows per transaction: a longer one would stall the intents of a running campaign.
pub const SLICE: i64 = 2_000;

/// The shared partition of the month: yyyymm.
pub(crate) fn month_bucket(now: Timestamp) -> i64 {
    let text = now.rfc3339();
    let digits: String = text.chars().take(7).filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// A contact of a campaign's lists with all that may leave it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The contact.
    pub id: ContactId,
    /// Its address as stored; `None` once erased.
    pub address: Option<String>,
    /// The keyed hash.
    pub address_hash: i64,
    /// Code of the mailbox provider.
    pub provider: i64,
    /// Full name.
    pub name: Option<String>,
    /// Attributes as JSON.
    pub attributes: String,
    /// When the contact was made.
    pub created_at: Timestamp,
    /// How it stands to the lists and the suppressions.
    pub standing: Standing,
}

/// How a candidate stands; the first that holds is the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The contact was erased.
    Erased,
    /// Subscribed to none of the lists any more.
    Unsubscribed,
    /// On a list that is excluded.
    Excluded,
    /// Suppressed everywhere, or on each list that it is subscribed to.
    Suppressed,
    /// None of these.
    Open,
}

#[derive(Debug, sqlx::FromRow)]
struct PageRow {
    id: i64,
    address: Option<String>,
    address_hash: i64,
    provider: i64,
    name: Option<String>,
    attributes: String,
    created_at: i64,
    erased_at: Option<i64>,
    subscribed: i64,
    open: i64,
    excluded: i64,
    suppressed: i64,
}

impl From<PageRow> for Candidate {
    fn from(row: PageRow) -> Self {
        let standing = if row.erased_at.is_some() {
            Standing::Erased
        } else if row.subscribed == 0 {
            Standing::Unsubscribed
        } else if row.excluded == 1 {
            Standing::Excluded
        } else if row.suppressed == 1 || row.open == 0 {
            Standing::Suppressed
        } else {
            Standing::Open
        };
        Self {
            id: ContactId(row.id),
            address: row.address,
            address_hash: row.address_hash,
            provider: row.provider,
            name: row.name,
            attributes: row.attributes,
            created_at: Timestamp(row.created_at),
            standing,
        }
    }
}

/// A contact that is kept, with its rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Staged {
    /// The rank.
    #[serde(rename = "r")]
    pub rank: i64,
    /// The contact.
    #[serde(rename = "c")]
    pub contact: i64,
}

/// A contact that is left out, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The contact.
    #[serde(rename = "c")]
    pub contact: i64,
    /// Why.
    #[serde(rename = "w")]
    pub reason: &'static str,
}

/// Ranks from the first to the second, both included.
pub type RankRange = (i64, i64);

/// Runs a statement on a campaign's range of ranks inside a `tx!` body.
macro_rules! on_range {
    ($c:expr, $e:expr, $statement:expr, $id:expr, $range:expr) => {
        sqlx::query($statement.of($e))
            .bind($id.0)
            .bind($range.0)
            .bind($range.1)
            .execute(&mut *$c)
            .await
            .named(&$statement)?
    };
}

impl Store {
    /// The next page of contacts of `lists` after a contact, in id order.
    ///
    /// # Errors
    /// The database's.
    pub async fn audience_page(
        &self,
        lists: &[ListId],
        exclude: &[ListId],
        after: ContactId,
        limit: i64,
    ) -> Result<Vec<Candidate>> {
        let (lists, exclude) = (json("lists", &lists)?, json("lists", &exclude)?);
        let rows: Vec<PageRow> = read!(self, |c, e| {
            sqlx::query(AUDIENCE_SESSION.of(e)).execute(&mut *c).await.named(&AUDIENCE_SESSION)?;
            sqlx::query_as(AUDIENCE_PAGE.of(e))
                .bind(&lists)
                .bind(after.0)
                .bind(&exclude)
                .bind(limit)
                .fetch_all(&mut *c)
                .await
                .named(&AUDIENCE_PAGE)
        })?;
        Ok(rows.into_iter().map(Candidate::from).collect())
    }

    /// Writes a part of a freeze, at most [`SLICE`] of both together, with a note of how far it came.
    ///
    /// # Errors
    /// `JobLost` when another node took the job.
    pub async fn stage_audience(
        &self,
        job: &JobLease,
        id: CampaignId,
        part: (&[Staged], &[LeftOut]),
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let staged = json("a part of an audience", &part.0)?;
        let left_out = json("a part of an audience", &part.1)?;
        tx!(self, |c, e| {
            hold_job!(c, e, job, note, now);
            for (statement, batch) in [(AUDIENCE_STAGE_ADD, &staged), (LEFT_OUT_ADD, &left_out)] {
                if batch != "[]" {
                    sqlx::query(statement.of(e))
                        .bind(id.0)
                        .bind(batch)
                        .execute(&mut *c)
                        .await
                        .named(&statement)?;
                }
            }
            Ok(())
        })
    }

    /// How many are staged.
    ///
    /// # Errors
    /// The database's.
    pub async fn staged_audience(&self, id: CampaignId) -> Result<i64> {
        read!(self, |c, e| {
            sqlx::query_scalar(AUDIENCE_STAGE_COUNT.of(e))
                .bind(id.0)
                .fetch_one(&mut *c)
                .await
                .named(&AUDIENCE_STAGE_COUNT)
        })
    }

    /// Fixes the partition of a campaign's rows, before its first row, and makes sure that it exists.
    ///
    /// # Errors
    /// `JobLost`, the database's.
    pub async fn assign_bucket(
        &self,
        job: &JobLease,
        id: CampaignId,
        (bucket, note): (i64, &str),
        now: Timestamp,
    ) -> Result<()> {
        self.ensure_partition(bucket).await?;
        tx!(self, |c, e| {
            hold_job!(c, e, job, Some(note), now);
            sqlx::query(AUDIENCE_BUCKET.of(e))
                .bind(id.0)
                .bind(bucket)
                .execute(&mut *c)
                .await
                .named(&AUDIENCE_BUCKET)
                .map(drop)
        })
    }

    /// Turns a range of staged ranks into rows, with a note of how far it came; gives how many.
    ///
    /// # Errors
    /// `JobLost` when another node took the job.
    pub async fn insert_audience_slice(
        &self,
        job: &JobLease,
        id: CampaignId,
        (range, note): (RankRange, &str),
        now: Timestamp,
    ) -> Result<u64> {
        tx!(self, |c, e| {
            hold_job!(c, e, job, Some(note), now);
            let mut providers: Vec<i64> = sqlx::query_scalar(AUDIENCE_INSERT.of(e))
                .bind(id.0)
                .bind(range.0)
                .bind(range.1)
                .bind(now.0)
                .fetch_all(&mut *c)
                .await
                .named(&AUDIENCE_INSERT)?;
            on_range!(c, e, AUDIENCE_ERASED, id, range);
            on_range!(c, e, AUDIENCE_STAGE_DONE, id, range);
            let rows = providers.len();
            let fresh =
                Delta::tally(id, Role::Audience, RelayId(0), DeliveryState::Scheduled.code());
            add_counters!(c, e, vec![fresh; rows]);
            providers.sort_unstable();
            for same in providers.chunk_by(|a, b| a == b) {
                sqlx::query(QUEUE_ADD.of(e))
                    .bind(id.0)
                    .bind(same[0])
                    .execute(&mut *c)
                    .await
                    .named(&QUEUE_ADD)?;
                sqlx::query(AUDIENCE_MIX_ADD.of(e))
                    .bind(id.0)
                    .bind(same[0])
                    .bind(same.len() as i64)
                    .execute(&mut *c)
                    .await
                    .named(&AUDIENCE_MIX_ADD)?;
            }
            Ok(rows as u64)
        })
    }

    /// The audience is what became rows; gives its size. What is still staged was given up.
    ///
    /// # Errors
    /// The database's.
    pub async fn close_audience(&self, id: CampaignId, now: Timestamp) -> Result<i64> {
        loop {
            let dropped = tx!(self, |c, e| {
                sqlx::query(AUDIENCE_STAGE_DROP.of(e))
                    .bind(id.0)
                    .bind(SLICE)
                    .execute(&mut *c)
                    .await
                    .named(&AUDIENCE_STAGE_DROP)
                    .map(|done| done.rows_affected())
            })?;
            if dropped == 0 {
                break;
            }
        }
        tx!(self, |c, e| {
            sqlx::query_scalar(AUDIENCE_CLOSE.of(e))
                .bind(id.0)
                .bind(now.0)
                .fetch_one(&mut *c)
                .await
                .named(&AUDIENCE_CLOSE)
        })
    }

    /// Tells PostgreSQL's planner what a freshly filled partition holds: without that it sorts where an index would do.
    ///
    /// # Errors
    /// The database's.
    pub async fn analyze_partition(&self, bucket: i64) -> Result<()> {
        match self.engine() {
            Engine::Sqlite => return Ok(()),
            Engine::Postgres => {}
        }
        let sql = format!("ANALYZE deliveries_b{bucket}");
        tx!(self, |c, _e| {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *c).await.map(drop).map_err(
                |source| Error::Statement { what: "analyze a partition of deliveries", source },
            )
        })
    }

    /// Makes sure that a bucket's partition stands: made aside, then attached. Nothing to do on SQLite.
    ///
    /// # Errors
    /// The database's.
    pub async fn ensure_partition(&self, bucket: i64) -> Result<()> {
        use sqlx::AssertSqlSafe;
        let name = format!("deliveries_b{bucket}");
        let steps = [
            format!("CREATE TABLE IF NOT EXISTS {name} (LIKE deliveries INCLUDING ALL)"),
            format!("ALTER TABLE deliveries ATTACH PARTITION {name} FOR VALUES IN ({bucket})"),
        ];
        match self.engine() {
            Engine::Sqlite => return Ok(()),
            Engine::Postgres => {}
        }
        tx!(self, |c, e| {
            let attached: i64 = sqlx::query_scalar(PARTITION_EXISTS.of(e))
                .bind(&name)
                .fetch_one(&mut *c)
                .await
                .named(&PARTITION_EXISTS)?;
            if attached == 0 {
                for step in steps {
                    sqlx::query(AssertSqlSafe(step)).execute(&mut *c).await.map_err(|source| {
                        Error::Statement { what: "make a partition of deliveries", source }
                    })?;
                }
            }
            Ok(())
        })
    }
}
