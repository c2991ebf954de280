//! Plans and forecasts: counts the audience by mailbox provider, reads what limits and lanes allow, asks the planner.
//!
//! Called by `plan`, `check`, `schedule` (a forecast before the start) and by `report` (what is left, as it stands).
//! It looks up everything that a plan depends on and gives it to the pure planner.

use crate::audience::{AudienceStream, Decision};
use crate::{Result, Setup, seeding};
use postroad_model::campaign::CampaignSettings;
use postroad_model::delivery::DeliveryState;
use postroad_model::ledger::Book;
use postroad_model::plan::{Cohort, Plan};
use postroad_model::relay::Relay;
use postroad_model::when::Zone;
use postroad_model::{CampaignId, MailboxProvider, Timestamp};
use postroad_planner::{Account, Brake, BrakeForce, PlanInput, PlanRelay};
use postroad_store::{SeedCopy, Store, StoredCampaign};
use std::collections::BTreeMap;

/// A plan with what it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// How many are left out, by reason.
    pub left_out: BTreeMap<&'static str, i64>,
}

/// An audience, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    pub cohorts: BTreeMap<MailboxProvider, i64>,
    pub left_out: BTreeMap<&'static str, i64>,
}

impl Counted {
    pub(crate) fn add(&mut self, decision: &Decision) {
        match decision {
            Decision::Keep(member) => *self.cohorts.entry(member.provider).or_default() += 1,
            Decision::LeaveOut(_, reason) => {
                *self.left_out.entry(reason.as_str()).or_default() += 1;
            }
        }
    }

    pub(crate) fn people(&self) -> i64 {
        self.cohorts.values().sum()
    }

    pub(crate) fn cohorts(&self) -> Vec<Cohort> {
        self.cohorts
            .iter()
            .map(|(provider, count)| Cohort { provider: *provider, count: *count })
            .collect()
    }

    /// The mailbox providers of the audience.
    pub(crate) fn providers(&self) -> Vec<MailboxProvider> {
        self.cohorts.keys().copied().collect()
    }

    /// The audience and the seeds that would go with it.
    pub(crate) fn with_seeds(&self, setup: &Setup, settings: &CampaignSettings) -> Vec<Cohort> {
        together(self.cohorts(), &seeding::cohorts(setup, settings))
    }

    /// `120 unsubscribed, 3 suppressed`.
    pub(crate) fn reasons(&self) -> String {
        let parts: Vec<String> =
            self.left_out.iter().map(|(why, n)| format!("{n} {why}")).collect();
        if parts.is_empty() { "the lists are empty".into() } else { parts.join(", ") }
    }
}

pub(crate) async fn count(store: &Store, settings: &CampaignSettings) -> Result<Counted> {
    let mut stream = AudienceStream::open(store, settings).await?;
    let mut counted = Counted::default();
    loop {
        let page = stream.next_page().await?;
        if page.is_empty() {
            return Ok(counted);
        }
        page.iter().for_each(|d| counted.add(d));
    }
}

/// Everything that a plan for these cohorts depends on.
pub(crate) async fn plan_input(
    store: &Store,
    setup: &Setup,
    settings: &CampaignSettings,
    cohorts: Vec<Cohort>,
    start: Timestamp,
    now: Timestamp,
) -> Result<PlanInput> {
    let relays = setup.pool_relays(&settings.pool)?;
    let expire_after = i64::try_from(setup.expire_after.as_millis()).unwrap_or(i64::MAX);
    Ok(PlanInput {
        now,
        start,
        latest_start: settings.latest_start,
        expires_at: settings.expires_at.or(Some(start.max(now).plus_ms(expire_after))),
        window: settings.window.clone(),
        zone: Zone::parse(&settings.zone)?,
        pool: settings.pool.clone(),
        cohorts,
        accounts: accounts(store, &relays).await?,
        brakes: brakes(store, &relays, now).await?,
        relays: relays.into_iter().map(PlanRelay::from).collect(),
    })
}

/// The limits of the relays' scopes with their books; a limit that has none yet is unused.
async fn accounts(store: &Store, relays: &[&Relay]) -> Result<Vec<Account>> {
    let mut accounts: Vec<Account> = Vec::new();
    for relay in relays {
        let scope = relay.limit_scope();
        if accounts.iter().any(|a| a.name == scope) {
            continue;
        }
        let books = store.limits(&scope).await?;
        let limits = relay
            .limits
            .iter()
            .map(|limit| {
                let book = books
                    .iter()
                    .find(|b| b.limit.name == limit.name && b.limit.window == limit.window);
                (limit.clone(), book.map_or_else(Book::new, |b| b.book.clone()))
            })
            .collect();
        accounts.push(Account { name: scope, limits });
    }
    Ok(accounts)
}

/// Lanes that are paused now send nothing until their pause ends; brakes stop a relay, a provider or both.
async fn brakes(store: &Store, relays: &[&Relay], now: Timestamp) -> Result<Vec<Brake>> {
    let names = store.relay_names().await?;
    let ours = |name: &String| relays.iter().any(|r| r.name == *name);
    let brake = |relay, provider, until: Timestamp| Brake {
        relay,
        provider,
        force: BrakeForce::Stop,
        until: (until.0 < i64::MAX).then_some(until),
    };
    let mut found = Vec::new();
    for lane in store.lanes().await? {
        let Some(pause) = lane.pause.filter(|p| p.until > now) else { continue };
        if let Some(name) = names.get(&lane.relay).filter(|n| ours(n)) {
            found.push(brake(Some(name.clone()), None, pause.until));
        }
    }
    for set in store.brakes(now).await? {
        match set.relay {
            None => found.push(brake(None, set.provider, set.until)),
            Some(id) => {
                if let Some(name) = names.get(&id).filter(|n| ours(n)) {
                    found.push(brake(Some(name.clone()), set.provider, set.until));
                }
            }
        }
    }
    Ok(found)
}

/// Plans a campaign that has not started, from the lists as they stand.
///
/// # Errors
/// An unknown list, pool or zone, a filter that cannot be read, settings that contradict each other.
pub async fn plan(
    store: &Store,
    setup: &Setup,
    settings: &CampaignSettings,
    start: Timestamp,
    now: Timestamp,
) -> Result<Planned> {
    let counted = count(store, settings).await?;
    let cohorts = counted.with_seeds(setup, settings);
    let input = plan_input(store, setup, settings, cohorts, start, now).await?;
    let plan = planned(&input, counted.people())?;
    Ok(Planned { plan, left_out: counted.left_out })
}

/// The plan for what is left of a campaign that has started.
///
/// # Errors
/// The database's, an unknown pool.
pub async fn forecast_now(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    now: Timestamp,
) -> Result<Plan> {
    let people = store.waiting_cohorts(stored.campaign.id).await?;
    let seeds = waiting_seeds(store, stored.campaign.id).await?;
    let count = people.iter().map(|c| c.count).sum();
    let cohorts = together(people, &seeds);
    let start = stored.start_at.unwrap_or(now).max(now);
    let mut input =
        plan_input(store, setup, &stored.campaign.settings, cohorts, start, now).await?;
    input.latest_start = None;
    input.expires_at = stored.expires_at.filter(|t| *t > now);
    planned(&input, count)
}

/// A plan that says of how many people it is: seeds are sent too, and are no people.
pub(crate) fn planned(input: &PlanInput, people: i64) -> Result<Plan> {
    let mut plan = postroad_planner::plan(input)?;
    plan.forecast.people = people;
    Ok(plan)
}

/// Seed copies that were not sent yet, by mailbox provider.
async fn waiting_seeds(store: &Store, id: CampaignId) -> Result<Vec<Cohort>> {
    let waits = |c: &SeedCopy| c.state == DeliveryState::Scheduled;
    let copies = store.seed_copies(id).await?.into_iter().filter(waits);
    let one = |c: SeedCopy| Cohort { provider: c.provider, count: 1 };
    Ok(together(Vec::new(), &copies.map(one).collect::<Vec<_>>()))
}

fn together(mut cohorts: Vec<Cohort>, more: &[Cohort]) -> Vec<Cohort> {
    for cohort in more {
        match cohorts.iter_mut().find(|c| c.provider == cohort.provider) {
            Some(same) => same.count += cohort.count,
            None => cohorts.push(*cohort),
        }
    }
    cohorts
}
