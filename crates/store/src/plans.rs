//! Plans as rows: each stands as it was made; planning again adds another whose parent is the one before.

use crate::backend::{Named, read, tx};
use crate::campaigns::json;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::plan::Plan;
use postroad_model::{CampaignId, Timestamp};

sql! {
    both PLAN_INSERT = "plan_insert";
    both PLAN_LATEST = "plan_latest";
}

/// A stored plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlan {
    /// Its row.
    pub id: i64,
    /// The plan that it replaced.
    pub parent: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The plan.
    pub plan: Plan,
}

impl Store {
    /// Keeps a plan of a campaign.
    ///
    /// # Errors
    /// The database's.
    pub async fn save_plan(&self, id: CampaignId, plan: &Plan, now: Timestamp) -> Result<i64> {
        let plan = json("a plan", plan)?;
        tx!(self, |c, e| {
            sqlx::query_scalar(PLAN_INSERT.of(e))
                .bind(id.0)
                .bind(now.0)
                .bind(&plan)
                .fetch_one(&mut *c)
                .await
                .named(&PLAN_INSERT)
        })
    }

    /// A campaign's newest plan.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn latest_plan(&self, id: CampaignId) -> Result<Option<StoredPlan>> {
        let row: Option<(i64, Option<i64>, i64, String)> = read!(self, |c, e| {
            sqlx::query_as(PLAN_LATEST.of(e))
                .bind(id.0)
                .fetch_optional(&mut *c)
                .await
                .named(&PLAN_LATEST)
        })?;
        row.map(|(id, parent, at, plan)| {
            let plan = serde_json::from_str(&plan).map_err(|_| Error::Inconsistent {
                table: "plans",
                column: "plan",
                id: id.to_string(),
            })?;
            Ok(StoredPlan { id, parent, created_at: Timestamp(at), plan })
        })
        .transpose()
    }
}
