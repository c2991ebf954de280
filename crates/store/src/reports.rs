//! What status, report and export read: counters, rows counted one by one, reasons, pages of rows.

use crate::backend::{Named, read};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::plan::Cohort;
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};

sql! {
    both COUNTERS_OF = "counters_of";
    both LEFT_OUT_COUNTS = "left_out_counts";
    both ROWS_BY_STATE = "rows_by_state";
    both ROWS_BY_PROVIDER = "rows_by_provider";
    each EXPORT_PAGE = "export_page";
}

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Audience, seed or test.
    pub role: Role,
    /// The lane; 0 for rows that no lane has held.
    pub relay: RelayId,
    /// Code of a state, or of a tally from 100 on.
    pub code: i64,
    /// How many.
    pub n: i64,
}

/// One row of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow {
    /// The row's id, for the next page.
    pub id: i64,
    /// The recipient; `None` once erased.
    pub address: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The relay that had it last.
    pub relay: Option<String>,
    /// Reply code.
    pub code: Option<i64>,
    /// Enhanced status.
    pub enhanced: Option<String>,
    /// The reply's text.
    pub reply: Option<String>,
    /// Last change.
    pub at: Timestamp,
}

#[derive(Debug, sqlx::FromRow)]
struct ExportLine {
    id: i64,
    address: Option<String>,
    state: i64,
    relay: Option<String>,
    code: Option<i64>,
    enhanced: Option<String>,
    reply: Option<String>,
    updated_at: i64,
}

pub(crate) fn state_of(code: i64, id: i64) -> Result<DeliveryState> {
    DeliveryState::from_code(code).ok_or_else(|| Error::Inconsistent {
        table: "deliveries",
        column: "state",
        id: id.to_string(),
    })
}

/// For counts: what a newer version may have written counts with the others.
pub(crate) fn provider_of(code: i64) -> MailboxProvider {
    MailboxProvider::from_code(code).unwrap_or(MailboxProvider::Other)
}

impl Store {
    /// A campaign's counters, row by row.
    ///
    /// # Errors
    /// The database's.
    pub async fn counters(&self, id: CampaignId) -> Result<Vec<Count>> {
        let rows: Vec<(i64, i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(COUNTERS_OF.of(e))
                .bind(id.0)
                .fetch_all(&mut *c)
                .await
                .named(&COUNTERS_OF)
        })?;
        rows.into_iter()
            .map(|(role, relay, code, n)| {
                let role = Role::from_code(role).ok_or_else(|| Error::Inconsistent {
                    table: "counters",
                    column: "role",
                    id: id.to_string(),
                })?;
                Ok(Count { role, relay: RelayId(relay), code, n })
            })
            .collect()
    }

    /// How many contacts were left out for which reason.
    ///
    /// # Errors
    /// The database's.
    pub async fn left_out(&self, id: CampaignId) -> Result<Vec<(String, i64)>> {
        read!(self, |c, e| {
            sqlx::query_as(LEFT_OUT_COUNTS.of(e))
                .bind(id.0)
                .fetch_all(&mut *c)
                .await
                .named(&LEFT_OUT_COUNTS)
        })
    }

    /// A campaign's rows of a role, counted one by one: the truth that counters are held against.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn count_rows(
        &self,
        id: CampaignId,
        role: Role,
    ) -> Result<Vec<(DeliveryState, i64)>> {
        let rows: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(ROWS_BY_STATE.of(e))
                .bind(id.0)
                .bind(role.code())
                .fetch_all(&mut *c)
                .await
                .named(&ROWS_BY_STATE)
        })?;
        rows.into_iter().map(|(code, n)| Ok((state_of(code, id.0)?, n))).collect()
    }

    /// What is still to be sent, by mailbox provider.
    ///
    /// # Errors
    /// The database's.
    pub async fn waiting_cohorts(&self, id: CampaignId) -> Result<Vec<Cohort>> {
        let rows: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(ROWS_BY_PROVIDER.of(e))
                .bind(id.0)
                .fetch_all(&mut *c)
                .await
                .named(&ROWS_BY_PROVIDER)
        })?;
        Ok(rows.into_iter().map(|(p, count)| Cohort { provider: provider_of(p), count }).collect())
    }

    /// The next page of a campaign's audience rows in some states after a row id.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn export_page(
        &self,
        id: CampaignId,
        states: &[DeliveryState],
        after: i64,
        limit: i64,
    ) -> Result<Vec<ExportRow>> {
        let codes: Vec<i64> = states.iter().map(|s| s.code()).collect();
        let codes = format!("{codes:?}");
        let rows: Vec<ExportLine> = read!(self, |c, e| {
            sqlx::query_as(EXPORT_PAGE.of(e))
                .bind(id.0)
                .bind(after)
                .bind(&codes)
                .bind(limit)
                .fetch_all(&mut *c)
                .await
                .named(&EXPORT_PAGE)
        })?;
        rows.into_iter()
            .map(|row| {
                Ok(ExportRow {
                    id: row.id,
                    address: row.address,
                    state: state_of(row.state, row.id)?,
                    relay: row.relay,
                    code: row.code,
                    enhanced: row.enhanced,
                    reply: row.reply,
                    at: Timestamp(row.updated_at),
                })
            })
            .collect()
    }
}
