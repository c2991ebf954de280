//! Seed copies counted, for reports and the exporter: by relay, mailbox provider and place; what they do not cover.
//!
//! Reads only the seeds' own small tables and the audience's mix, which is written when it is frozen: no reader counts the
//! audience's rows, and a scrape costs the same whatever their number.

use crate::backend::{Named, read};
use crate::campaigns::json;
use crate::reports::{provider_of, state_of};
use crate::seeds::placement_of;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::placement::{AuthMethod, AuthResult, Placement, PlacementCounts};
use postroad_model::{CampaignId, MailboxProvider, RelayId};
use std::collections::BTreeMap;

sql! {
    each AUDIENCE_MIX_OF = "audience_mix_of";
    each SEED_GAPS_OF = "seed_gaps_of";
    each SEED_AUTHENTICATION = "seed_authentication";
    each SEED_CELLS = "seed_cells";
    both SEED_CAMPAIGNS_LAST = "seed_campaigns_last";
}

/// Counts by relay and mailbox provider.
pub type PlacementCells = BTreeMap<(RelayId, MailboxProvider), PlacementCounts>;

/// What mailbox providers said of the sender's name, counted.
pub type AuthenticationCounts = BTreeMap<(MailboxProvider, AuthMethod, AuthResult), u32>;

impl Store {
    /// The seed copies of some campaigns, counted by relay, mailbox provider and place, in one reading.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn placement_cells_of(
        &self,
        campaigns: &[CampaignId],
    ) -> Result<BTreeMap<CampaignId, PlacementCells>> {
        type Line = (i64, i64, i64, String, i64, i64);
        let ids = json("campaign numbers", &campaigns)?;
        let lines: Vec<Line> = read!(self, |c, e| {
            sqlx::query_as(SEED_CELLS.of(e)).bind(&ids).fetch_all(&mut *c).await.named(&SEED_CELLS)
        })?;
        let mut all: BTreeMap<CampaignId, PlacementCells> = BTreeMap::new();
        for (campaign, relay, provider, placement, state, n) in lines {
            let bad = || Error::Inconsistent {
                table: "seed_copies",
                column: "placement",
                id: campaign.to_string(),
            };
            let found = Placement::from_name(&placement).ok_or_else(bad)?;
            let place = placement_of(found, state_of(state, campaign)?);
            let cells = all.entry(CampaignId(campaign)).or_default();
            let counts = cells.entry((RelayId(relay), provider_of(provider))).or_default();
            counts.add(place, u32::try_from(n).unwrap_or(u32::MAX));
        }
        Ok(all)
    }

    /// Relays and mailbox providers of the audience that no seed of the campaign looks at.
    ///
    /// # Errors
    /// The database's.
    pub async fn seed_gaps(&self, campaign: CampaignId) -> Result<Vec<(RelayId, MailboxProvider)>> {
        Ok(self.seed_gaps_of(&[campaign]).await?.remove(&campaign).unwrap_or_default())
    }

    /// The same of some campaigns, in one reading.
    ///
    /// # Errors
    /// The database's.
    pub async fn seed_gaps_of(
        &self,
        campaigns: &[CampaignId],
    ) -> Result<BTreeMap<CampaignId, Vec<(RelayId, MailboxProvider)>>> {
        let ids = json("campaign numbers", &campaigns)?;
        let rows: Vec<(i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(SEED_GAPS_OF.of(e))
                .bind(&ids)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_GAPS_OF)
        })?;
        let mut all: BTreeMap<CampaignId, Vec<_>> = BTreeMap::new();
        for (campaign, relay, code) in rows {
            let gaps = all.entry(CampaignId(campaign)).or_default();
            gaps.push((RelayId(relay), provider_of(code)));
        }
        Ok(all)
    }

    /// What the mailbox providers said of the sender's name in some campaigns' copies, counted.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn seed_authentication(
        &self,
        campaigns: &[CampaignId],
    ) -> Result<BTreeMap<CampaignId, AuthenticationCounts>> {
        type Line = (i64, i64, Option<String>, Option<String>, Option<String>, i64);
        let ids = json("campaign numbers", &campaigns)?;
        let lines: Vec<Line> = read!(self, |c, e| {
            sqlx::query_as(SEED_AUTHENTICATION.of(e))
                .bind(&ids)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_AUTHENTICATION)
        })?;
        let mut all: BTreeMap<CampaignId, AuthenticationCounts> = BTreeMap::new();
        for (campaign, code, spf, dkim, dmarc, n) in lines {
            let counts = all.entry(CampaignId(campaign)).or_default();
            let methods =
                [(AuthMethod::Spf, spf), (AuthMethod::Dkim, dkim), (AuthMethod::Dmarc, dmarc)];
            for (method, word) in methods {
                let Some(word) = word else { continue };
                let Some(result) = AuthResult::from_name(&word) else {
                    let (table, column) = ("seed_copies", method.as_str());
                    return Err(Error::Inconsistent { table, column, id: campaign.to_string() });
                };
                let count = counts.entry((provider_of(code), method, result)).or_default();
                *count += u32::try_from(n).unwrap_or(u32::MAX);
            }
        }
        Ok(all)
    }

    /// The newest campaigns that have seeds.
    ///
    /// # Errors
    /// The database's.
    pub async fn seeded_campaigns(&self, limit: i64) -> Result<Vec<CampaignId>> {
        let ids: Vec<i64> = read!(self, |c, e| {
            sqlx::query_scalar(SEED_CAMPAIGNS_LAST.of(e))
                .bind(limit)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_CAMPAIGNS_LAST)
        })?;
        Ok(ids.into_iter().map(CampaignId).collect())
    }

    /// The audience by mailbox provider, as it was frozen.
    ///
    /// # Errors
    /// The database's.
    pub async fn provider_mix(&self, campaign: CampaignId) -> Result<Vec<(MailboxProvider, i64)>> {
        Ok(self.provider_mixes(&[campaign]).await?.remove(&campaign).unwrap_or_default())
    }

    /// The same of some campaigns, in one reading.
    ///
    /// # Errors
    /// The database's.
    pub async fn provider_mixes(
        &self,
        campaigns: &[CampaignId],
    ) -> Result<BTreeMap<CampaignId, Vec<(MailboxProvider, i64)>>> {
        let ids = json("campaign numbers", &campaigns)?;
        let rows: Vec<(i64, i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(AUDIENCE_MIX_OF.of(e))
                .bind(&ids)
                .fetch_all(&mut *c)
                .await
                .named(&AUDIENCE_MIX_OF)
        })?;
        let mut all: BTreeMap<CampaignId, Vec<_>> = BTreeMap::new();
        for (campaign, code, n) in rows {
            all.entry(CampaignId(campaign)).or_default().push((provider_of(code), n));
        }
        Ok(all)
    }
}
