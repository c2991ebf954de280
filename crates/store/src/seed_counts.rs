//! Seed copies counted, for reports and the exporter: by relay, mailbox provider and place; what they do not cover.
//!
//! Reads only the seeds' own small tables and the audience's mix, which is written when it is frozen: no reader counts the
//! audience's rows, and a scrape costs the same whatever their number.

use crate::backend::{Named, read};
use crate::campaigns::json;
use crate::reports::state_of;
use crate::seeds::placement_of;
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::placement::{Placement, PlacementCounts};
use postroad_model::{CampaignId, MailboxProvider, RelayId};
use std::collections::BTreeMap;

sql! {
    both AUDIENCE_MIX_OF = "audience_mix_of";
    both SEED_GAPS_OF = "seed_gaps_of";
    each SEED_CELLS = "seed_cells";
    both SEED_CAMPAIGNS_LAST = "seed_campaigns_last";
}

/// Counts by relay and mailbox provider.
pub type PlacementCells = BTreeMap<(RelayId, MailboxProvider), PlacementCounts>;

fn provider_of(code: i64) -> MailboxProvider {
    MailboxProvider::from_code(code).unwrap_or(MailboxProvider::Other)
}

impl Store {
    /// A campaign's seed copies counted by relay, mailbox provider and place.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn placement_cells(
        &self,
        campaign: CampaignId,
    ) -> Result<Vec<(RelayId, MailboxProvider, PlacementCounts)>> {
        let mut cells: BTreeMap<(RelayId, MailboxProvider), PlacementCounts> = BTreeMap::new();
        for copy in self.seed_copies(campaign).await? {
            cells.entry((copy.relay, copy.provider)).or_default().add(copy.placement, 1);
        }
        Ok(cells.into_iter().map(|((relay, provider), counts)| (relay, provider, counts)).collect())
    }

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
        let rows: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(SEED_GAPS_OF.of(e))
                .bind(campaign.0)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_GAPS_OF)
        })?;
        Ok(rows.into_iter().map(|(relay, code)| (RelayId(relay), provider_of(code))).collect())
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
        let rows: Vec<(i64, i64)> = read!(self, |c, e| {
            sqlx::query_as(AUDIENCE_MIX_OF.of(e))
                .bind(campaign.0)
                .fetch_all(&mut *c)
                .await
                .named(&AUDIENCE_MIX_OF)
        })?;
        Ok(rows.into_iter().map(|(code, n)| (provider_of(code), n)).collect())
    }
}
