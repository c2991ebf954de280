//! A campaign's seeds: which mailboxes get it, planned when its audience is frozen, released in step with it.
//!
//! Called by the supervisor; `check`, `schedule` and the forecasts ask what would be planned. The plan itself is a pure
//! function of model. A canary's seeds go with it (`canary`). What must hold: seeds are planned before the campaign starts, so that the first of
//! them go with the first of its audience; all of them are released when nothing of the audience is open, so that a campaign ends.

use crate::finding::Finding;
use crate::{Result, Setup};
use postroad_model::campaign::{Campaign, CampaignSettings};
use postroad_model::canary::Canary;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::plan::Cohort;
use postroad_model::seed::{self, Seed, SeedChoice, SeedPlan, rank_at};
use postroad_model::{CampaignId, MailboxProvider, RelayId, Timestamp};
use postroad_store::{Count, NewSeedCopy, Store};
use std::collections::BTreeMap;

/// Seeds go this much ahead of the audience, so that some are in its first hundredth.
const AHEAD: f64 = 0.01;

/// The seeds that a campaign asks for, and the names among them that are none.
fn chosen<'a>(setup: &'a Setup, settings: &'a CampaignSettings) -> (Vec<Seed>, Vec<&'a str>) {
    match &settings.seeds {
        SeedChoice::All => (setup.seeds.clone(), Vec::new()),
        SeedChoice::None => (Vec::new(), Vec::new()),
        SeedChoice::Named(names) => {
            let is = |name: &&String| setup.seeds.iter().any(|s| s.name == **name);
            let unknown = names.iter().filter(|n| !is(n)).map(String::as_str).collect();
            let seeds = setup.seeds.iter().filter(|s| names.contains(&s.name)).cloned().collect();
            (seeds, unknown)
        }
    }
}

/// What a campaign's seeds would be if it started with this audience; relays by their place in the pool.
fn preview(setup: &Setup, settings: &CampaignSettings, audience: &[MailboxProvider]) -> SeedPlan {
    let (seeds, _) = chosen(setup, settings);
    let relays = setup.pool_relays(&settings.pool).map_or(0, |relays| relays.len());
    let relays: Vec<RelayId> = (1..).map(RelayId).take(relays).collect();
    seed::plan(&seeds, &relays, audience, 0)
}

/// How many copies go to whom, beside the audience: they draw on the limits as well.
pub(crate) fn cohorts(setup: &Setup, settings: &CampaignSettings) -> Vec<Cohort> {
    let (seeds, _) = chosen(setup, settings);
    let mut counts: BTreeMap<MailboxProvider, i64> = BTreeMap::new();
    for copy in preview(setup, settings, &[]).copies {
        *counts.entry(seeds[copy.seed].provider).or_default() += 1;
    }
    counts.into_iter().map(|(provider, count)| Cohort { provider, count }).collect()
}

/// What `check` and `schedule` say of a campaign's seeds.
pub(crate) fn findings(
    setup: &Setup,
    settings: &CampaignSettings,
    audience: &[MailboxProvider],
) -> Vec<Finding> {
    let (seeds, unknown) = chosen(setup, settings);
    let mut findings = Vec::new();
    if !unknown.is_empty() {
        let known: Vec<&str> = setup.seeds.iter().map(|s| s.name.as_str()).collect();
        findings.push(Finding::error(
            "unknown_seed",
            format!(
                "seeds names {}, which no [[seed]] is; there are: {}",
                unknown.join(", "),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ),
        ));
    }
    let plan = preview(setup, settings, audience);
    if settings.canary.is_some() && plan.copies.len() < Canary::FEWEST_SEEDS {
        findings.push(Finding::warning(
            "canary_few_seeds",
            format!(
                "the canary would have {} seeds' copies; with fewer than {} it proves nothing and lets the campaign go on; \
                 [[seed]] tables name mailboxes to look into (docs/guide/seeds.md)",
                plan.copies.len(),
                Canary::FEWEST_SEEDS
            ),
        ));
    }
    if let Some(canary) = settings.canary.filter(|c| c.cannot_prove(plan.copies.len())) {
        findings.push(Finding::warning(
            "canary_cannot_prove",
            cannot_prove(&canary, plan.copies.len()),
        ));
    }
    if seeds.is_empty() {
        return findings;
    }
    let mut missing: Vec<&str> = plan.gaps.iter().map(|(_, p)| p.as_str()).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        findings.push(Finding::warning(
            "seeds_do_not_cover",
            format!(
                "no seed looks at {} through each relay of the pool, so nothing will be known there; more seeds, \
                 plus = true or aliases would help (docs/guide/seeds.md)",
                missing.join(", ")
            ),
        ));
    }
    findings
}

fn cannot_prove(canary: &Canary, copies: usize) -> String {
    let percent = (canary.min_inbox * 100.0).round();
    let wants = match canary.proof() {
        Some(n) => {
            format!("{n} seeds' copies, all of them in inboxes, are the fewest that show it")
        }
        None => "no number of copies shows it".to_owned(),
    };
    format!(
        "the canary's min_inbox is {percent} %, and {wants}; the {copies} that this campaign would have can only hold it; more \
         [[seed]] tables or a lower min_inbox would help (docs/guide/canary.md)"
    )
}

/// Writes a frozen campaign's seed copies; gives how many. A second call does nothing.
///
/// # Errors
/// The database's, an unknown pool.
pub async fn plan_seeds(
    store: &Store,
    setup: &Setup,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<u64> {
    let (seeds, unknown) = chosen(setup, &campaign.settings);
    if !unknown.is_empty() {
        tracing::warn!(
            campaign = campaign.name,
            ?unknown,
            "these seeds are not configured any more"
        );
    }
    let mix = store.provider_mix(campaign.id).await?;
    if seeds.is_empty() || mix.is_empty() {
        return Ok(0);
    }
    let names: Vec<String> =
        setup.pool_relays(&campaign.settings.pool)?.iter().map(|r| r.name.clone()).collect();
    let ids = store.register_relays(&names).await?;
    let relays: Vec<RelayId> = names.iter().filter_map(|n| ids.get(n).copied()).collect();
    let audience: Vec<MailboxProvider> = mix.iter().map(|(provider, _)| *provider).collect();
    let plan = seed::plan(&seeds, &relays, &audience, campaign.seed);
    let copies: Vec<NewSeedCopy> = plan
        .copies
        .into_iter()
        .map(|copy| {
            let seed = &seeds[copy.seed];
            NewSeedCopy {
                mailbox: seed.name.clone(),
                address: copy.address,
                provider: seed.provider,
                relay: copy.relay,
                rank: copy.rank,
                name: seed.person.clone(),
                attributes: seed.attributes.clone(),
            }
        })
        .collect();
    Ok(store.plan_seeds(campaign.id, (&copies, &plan.gaps), now).await?)
}

/// Releases the copies whose turn has come; gives how many.
pub(crate) async fn release(
    store: &Store,
    id: CampaignId,
    counts: &[Count],
    now: Timestamp,
) -> Result<u64> {
    let waiting =
        counts.iter().any(|c| c.role == Role::Seed && c.code == DeliveryState::Scheduled.code());
    if !waiting {
        return Ok(0);
    }
    Ok(store.release_seeds(id, turn(counts), now).await?)
}

/// Up to which rank seeds go, by how far the audience is.
fn turn(counts: &[Count]) -> i64 {
    let audience = |wanted: &dyn Fn(DeliveryState) -> bool| -> i64 {
        counts
            .iter()
            .filter(|c| c.role == Role::Audience)
            .filter(|c| DeliveryState::from_code(c.code).is_some_and(wanted))
            .map(|c| c.n)
            .sum()
    };
    let (all, open) = (audience(&|_| true), audience(&DeliveryState::is_open));
    if open <= 0 {
        return i64::MAX;
    }
    let begun = all - audience(&|s| s == DeliveryState::Scheduled);
    rank_at(begun as f64 / all as f64 + AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(role: Role, state: DeliveryState, n: i64) -> Count {
        Count { role, relay: RelayId(1), code: state.code(), n }
    }

    #[test]
    fn seeds_go_a_hundredth_ahead_of_the_audience_and_all_when_it_is_done() {
        use DeliveryState::{Accepted, Leased, Scheduled, Suppressed};
        let check = |counts: &[Count], expected: i64| {
            assert_eq!(turn(counts), expected, "{counts:?}");
        };
        let seeds = count(Role::Seed, Scheduled, 12);
        check(&[count(Role::Audience, Scheduled, 100), seeds], rank_at(0.01));
        let half = [count(Role::Audience, Scheduled, 50), count(Role::Audience, Accepted, 40)];
        let more = [count(Role::Audience, Leased, 6), count(Role::Audience, Suppressed, 4), seeds];
        check(&[half, [more[0], more[1]]].concat(), rank_at(0.51));
        check(&[count(Role::Audience, Accepted, 100), seeds], i64::MAX);
        check(&[], i64::MAX);
    }
}
