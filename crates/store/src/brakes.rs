//! Brakes and sweeps: rows that any service writes and W1 reads, and small periodic repairs.
//!
//! Called by the engine's driver. A brake stops a relay for one mailbox provider (or all) until a time; relay 0
//! and provider `None` stand for any.

use crate::backend::{Named, read, tx};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};

sql! {
    both BRAKE_SET = "brake_set";
    both BRAKE_CLEAR = "brake_clear";
    both BRAKES_ALL = "brakes_all";
    both UNPIN = "unpin";
    both CAMPAIGN_RUNS = "campaign_runs";
}

/// A brake in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brake {
    /// Which relay; `None`: any.
    pub relay: Option<RelayId>,
    /// Which provider; `None`: any.
    pub provider: Option<MailboxProvider>,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who set it: `delivery`, `feedback`, `placement`, `operator`.
    pub by: String,
}

fn provider_code(provider: Option<MailboxProvider>) -> i64 {
    provider.map_or(-1, MailboxProvider::code)
}

impl Store {
    /// Sets a brake; one that stands for the same pair is replaced if it would end earlier.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_brake(&self, brake: &Brake, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(BRAKE_SET.of(e))
                .bind(brake.relay.map_or(0, |r| r.0))
                .bind(provider_code(brake.provider))
                .bind(brake.until.0)
                .bind(&brake.reason)
                .bind(&brake.by)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&BRAKE_SET)
                .map(drop)
        })
    }

    /// Lifts all brakes of a relay.
    ///
    /// # Errors
    /// The database's.
    pub async fn clear_brakes(&self, relay: RelayId) -> Result<u64> {
        tx!(self, |c, e| {
            sqlx::query(BRAKE_CLEAR.of(e))
                .bind(relay.0)
                .execute(&mut *c)
                .await
                .named(&BRAKE_CLEAR)
                .map(|done| done.rows_affected())
        })
    }

    /// The brakes in force.
    ///
    /// # Errors
    /// The database's; `Inconsistent` for a provider that is none.
    pub async fn brakes(&self, now: Timestamp) -> Result<Vec<Brake>> {
        let rows: Vec<(i64, i64, i64, String, String)> = read!(self, |c, e| {
            sqlx::query_as(BRAKES_ALL.of(e)).bind(now.0).fetch_all(&mut *c).await.named(&BRAKES_ALL)
        })?;
        rows.into_iter()
            .map(|(relay, provider, until, reason, by)| {
                let known = MailboxProvider::from_code(provider);
                if provider >= 0 && known.is_none() {
                    let id = format!("{relay}/{provider}");
                    return Err(Error::Inconsistent { table: "brakes", column: "provider", id });
                }
                let relay = (relay != 0).then_some(RelayId(relay));
                Ok(Brake { relay, provider: known, until: Timestamp(until), reason, by })
            })
            .collect()
    }

    /// Frees greylisted rows whose time with their relay is over: any relay of the pool may take them.
    ///
    /// # Errors
    /// The database's.
    pub async fn unpin(&self, now: Timestamp) -> Result<u64> {
        tx!(self, |c, e| {
            sqlx::query(UNPIN.of(e))
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&UNPIN)
                .map(|done| done.rows_affected())
        })
    }

    /// Whether rows of a campaign may be sent now.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaign_runs(&self, campaign: CampaignId, now: Timestamp) -> Result<bool> {
        let found: i64 = read!(self, |c, e| {
            sqlx::query_scalar(CAMPAIGN_RUNS.of(e))
                .bind(campaign.0)
                .bind(now.0)
                .fetch_one(&mut *c)
                .await
                .named(&CAMPAIGN_RUNS)
        })?;
        Ok(found > 0)
    }
}
