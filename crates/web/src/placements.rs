//! What the exporter tells of seeds: read from the seeds' own small tables, never from the audience's rows.
//!
//! Called by `exporter` for the campaigns that it shows, with as many statements whatever their number. What must hold: the whole campaign's rate is weighted by its
//! audience as everywhere else (`model::weighted`); the last campaigns together are those with copies that say something.

use crate::exporter::Shown;
use postroad_metrics::{CampaignPlacement, PlacementCell, PlacementSnapshot, SeedMailbox};
use postroad_model::placement::PlacementCounts;
use postroad_model::weighted::{ByProvider, POOLED, POOLED_READ, pooled, weighted};
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{PlacementCells, Result, Store};
use std::collections::BTreeMap;

/// Reads it.
pub(crate) async fn read(
    store: &Store,
    shown: &[Shown],
    names: &BTreeMap<RelayId, String>,
    now: Timestamp,
) -> Result<PlacementSnapshot> {
    let ids: Vec<CampaignId> = shown.iter().map(|c| c.id).collect();
    let newest = store.seeded_campaigns(POOLED_READ).await?;
    let all = store.placement_cells_of(&[&*ids, &*newest].concat()).await?;
    let mut gaps = store.seed_gaps_of(&ids).await?;
    let mixes = store.provider_mixes(&ids).await?;
    let mut authentication = store.seed_authentication(&ids).await?;
    let mut campaigns = Vec::new();
    for campaign in shown {
        let gaps = gaps.remove(&campaign.id).unwrap_or_default();
        let cells = all.get(&campaign.id).cloned().unwrap_or_default();
        if cells.is_empty() && gaps.is_empty() {
            continue;
        }
        let mix = mixes.get(&campaign.id).map(Vec::as_slice).unwrap_or_default();
        let said = authentication.remove(&campaign.id).unwrap_or_default().into_iter();
        campaigns.push(CampaignPlacement {
            campaign: campaign.name.clone(),
            target: campaign.min_inbox,
            weighted: weighted(&by_provider(&cells), mix).map(|w| w.rate),
            cells: named(&cells, names),
            uncovered: gaps
                .into_iter()
                .filter_map(|(relay, provider)| Some((names.get(&relay)?.clone(), provider)))
                .collect(),
            authentication: said.map(|((p, m, r), n)| (p, m, r, n)).collect(),
        });
    }
    let seeds = store.seed_mailboxes().await?.into_iter();
    let seeds = seeds
        .map(|m| SeedMailbox { provider: m.provider, looked_at: m.looked_at.unwrap_or(m.since) })
        .collect();
    let sum = pooled(newest.iter().filter_map(|id| all.get(id)), POOLED);
    let pooled = named(&sum.copies, names);
    Ok(PlacementSnapshot { at: now, campaigns, pooled, seeds })
}

fn by_provider(cells: &PlacementCells) -> ByProvider {
    let mut sums = ByProvider::new();
    for ((_, provider), counts) in cells {
        *sums.entry(*provider).or_default() += *counts;
    }
    sums
}

fn named(cells: &PlacementCells, names: &BTreeMap<RelayId, String>) -> Vec<PlacementCell> {
    let cell = |((relay, provider), counts): (&(RelayId, MailboxProvider), &PlacementCounts)| {
        let relay = names.get(relay)?.clone();
        Some(PlacementCell { relay, provider: *provider, counts: *counts })
    };
    cells.iter().filter_map(cell).collect()
}
