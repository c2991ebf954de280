//! What the exporter tells of seeds: read from the seeds' own small tables, never from the audience's rows.
//!
//! Called by `exporter` for the campaigns that it shows. What must hold: the whole campaign's rate is weighted by its
//! audience as everywhere else (`model::weighted`); the last campaigns together are those with copies that say something.

use crate::exporter::Shown;
use postroad_metrics::{CampaignPlacement, PlacementCell, PlacementSnapshot, SeedMailbox};
use postroad_model::placement::{AuthMethod, AuthResult, PlacementCounts};
use postroad_model::weighted::{ByProvider, weighted};
use postroad_model::{MailboxProvider, RelayId, Timestamp};
use postroad_store::{PlacementCells, Result, SeedCopy, Store};
use std::collections::BTreeMap;

/// So many campaigns make the pooled rate, of so many that are read.
const POOLED: usize = 10;
const POOLED_READ: i64 = 20;

/// Reads it.
pub(crate) async fn read(
    store: &Store,
    shown: &[Shown],
    names: &BTreeMap<RelayId, String>,
    now: Timestamp,
) -> Result<PlacementSnapshot> {
    let mut campaigns = Vec::new();
    for campaign in shown {
        let copies = store.seed_copies(campaign.id).await?;
        let gaps = store.seed_gaps(campaign.id).await?;
        if copies.is_empty() && gaps.is_empty() {
            continue;
        }
        let cells = cells(&copies);
        let mix = store.provider_mix(campaign.id).await?;
        campaigns.push(CampaignPlacement {
            campaign: campaign.name.clone(),
            target: campaign.min_inbox,
            weighted: weighted(&by_provider(&cells), &mix).map(|w| w.rate),
            cells: named(&cells, names),
            uncovered: gaps
                .into_iter()
                .filter_map(|(relay, provider)| Some((names.get(&relay)?.clone(), provider)))
                .collect(),
            authentication: authentication(&copies),
        });
    }
    let seeds = store.seed_mailboxes().await?.into_iter();
    let seeds = seeds
        .map(|m| SeedMailbox { provider: m.provider, looked_at: m.looked_at.unwrap_or(m.since) })
        .collect();
    let pooled = pooled(store, names).await?;
    Ok(PlacementSnapshot { at: now, campaigns, pooled, seeds })
}

fn cells(copies: &[SeedCopy]) -> PlacementCells {
    let mut cells = PlacementCells::new();
    for copy in copies {
        cells.entry((copy.relay, copy.provider)).or_default().add(copy.placement, 1);
    }
    cells
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

fn authentication(copies: &[SeedCopy]) -> Vec<(MailboxProvider, AuthMethod, AuthResult, u32)> {
    let mut seen: BTreeMap<(MailboxProvider, AuthMethod, AuthResult), u32> = BTreeMap::new();
    for copy in copies {
        let a = copy.authentication;
        for (method, result) in
            [(AuthMethod::Spf, a.spf), (AuthMethod::Dkim, a.dkim), (AuthMethod::Dmarc, a.dmarc)]
        {
            if let Some(result) = result {
                *seen.entry((copy.provider, method, result)).or_default() += 1;
            }
        }
    }
    seen.into_iter().map(|((p, m, r), n)| (p, m, r, n)).collect()
}

/// The last campaigns together, the newest first; those without a copy that says something push none out.
async fn pooled(store: &Store, names: &BTreeMap<RelayId, String>) -> Result<Vec<PlacementCell>> {
    let newest = store.seeded_campaigns(POOLED_READ).await?;
    let cells = store.placement_cells_of(&newest).await?;
    let told = newest.iter().filter_map(|id| cells.get(id));
    let told = told.filter(|cells| cells.values().any(|counts| counts.samples() > 0));
    let mut sum = PlacementCells::new();
    for cells in told.take(POOLED) {
        for (pair, counts) in cells {
            *sum.entry(*pair).or_default() += *counts;
        }
    }
    Ok(named(&sum, names))
}
