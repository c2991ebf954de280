//! What `top` shows, read from the database.
//!
//! The forecast looks at rows and is made anew only every few seconds; all else is counters and small tables. What must hold: no
//! recipient's address is in it, because such a screen stands where others see it.

use crate::app::Opened;
use crate::commands::relay::{self, RelayLine};
use anyhow::Result;
use postroad_campaign::{Counting, Report, report};
use postroad_model::campaign::{CampaignKind, CampaignState, HoldReason};
use postroad_model::{MailboxProvider, Timestamp};
use postroad_store::BounceFilter;
use serde::Serialize;
use std::collections::BTreeMap;

/// Campaigns that are shown; more are counted.
const CAMPAIGNS: usize = 12;
/// The latest that came back.
const CAME_BACK: i64 = 8;
/// A campaign is shown for so long after its end.
const ENDED_MS: i64 = 24 * 3_600_000;
/// A forecast is made anew after so long.
const FORECAST_MS: i64 = 15_000;

/// Everything at a glance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct View {
    /// When it was read.
    pub at: String,
    /// Nodes that work.
    pub nodes: i64,
    /// Campaigns that are not over, or ended lately; those that go first.
    pub campaigns: Vec<Report>,
    /// How many more there are.
    pub more: usize,
    /// The relays of the configuration.
    pub relays: Vec<RelayLine>,
    /// What somebody should look at, then what came back lately.
    pub trouble: Vec<Trouble>,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// When, where that is known.
    pub at: Option<String>,
    /// What.
    pub what: String,
    /// Whether somebody should act.
    pub weight: Weight,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Somebody should look.
    Act,
    /// It happens.
    Note,
}

/// Reads views, and remembers forecasts.
pub struct Source<'a> {
    opened: &'a Opened,
    forecasts: BTreeMap<String, (Timestamp, Option<String>, i64)>,
}

impl<'a> Source<'a> {
    pub fn new(opened: &'a Opened) -> Self {
        Self { opened, forecasts: BTreeMap::new() }
    }

    /// What stands at `now`.
    pub async fn read(&mut self, now: Timestamp) -> Result<View> {
        let store = &self.opened.store;
        let mut names = self.names(now).await?;
        let more = names.len().saturating_sub(CAMPAIGNS);
        names.truncate(CAMPAIGNS);
        let mut campaigns = Vec::with_capacity(names.len());
        for name in &names {
            campaigns.push(self.campaign(name, now).await?);
        }
        let ids = store.relay_names().await?.into_iter().map(|(id, name)| (name, id)).collect();
        let lines = relay::lines(self.opened, &ids, now).await?;
        let nodes = store.nodes_alive(now).await?;
        let mut trouble = standing(nodes, &campaigns, &lines);
        trouble.extend(self.mailboxes().await?);
        trouble.extend(self.came_back().await?);
        Ok(View { at: now.rfc3339(), nodes, campaigns, more, relays: lines, trouble })
    }

    /// Those that work first, then those to come, then those that ended.
    async fn names(&self, now: Timestamp) -> Result<Vec<String>> {
        let store = &self.opened.store;
        let mut found: Vec<(u8, i64, String)> = Vec::new();
        for stored in store.living_campaigns().await? {
            let campaign = stored.campaign;
            if campaign.kind != CampaignKind::Bulk {
                continue;
            }
            let order = match campaign.state {
                CampaignState::Running { .. } | CampaignState::Held { .. } => 0,
                CampaignState::Paused { .. } => 1,
                CampaignState::Draft | CampaignState::Scheduled { .. } => 2,
                CampaignState::Finished { .. }
                | CampaignState::Cancelled { .. }
                | CampaignState::Missed { .. } => 3,
            };
            found.push((order, -campaign.id.0, campaign.name));
        }
        for glance in store.campaigns_at_a_glance(now.plus_ms(-ENDED_MS)).await? {
            if found.iter().all(|(_, id, _)| -id != glance.id.0) {
                found.push((3, -glance.id.0, glance.name));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, _, name)| name).collect())
    }

    async fn campaign(&mut self, name: &str, now: Timestamp) -> Result<Report> {
        let (store, setup) = (&self.opened.store, &self.opened.setup);
        let known = self.forecasts.get(name).filter(|f| now.since_ms(f.0) < FORECAST_MS).cloned();
        let counting = if known.is_some() { Counting::Glance } else { Counting::Counters };
        let mut shown = report(store, setup, name, counting, now).await?;
        match known {
            // What is over says itself when it ended.
            Some((_, ends_at, unreached)) if shown.ends_at.is_none() => {
                (shown.ends_at, shown.unreached) = (ends_at, unreached);
            }
            Some(_) => {}
            None => {
                let forecast = (now, shown.ends_at.clone(), shown.unreached);
                self.forecasts.insert(name.to_owned(), forecast);
            }
        }
        Ok(shown)
    }

    async fn mailboxes(&self) -> Result<Vec<Trouble>> {
        let mailboxes = self.opened.store.seed_mailboxes().await?;
        let of = |m: postroad_store::SeedMailboxRow| {
            let why = m.trouble?;
            let at = m.failed_at.map(Timestamp::rfc3339);
            Some(Trouble { at, what: format!("seed {}: {why}", m.name), weight: Weight::Act })
        };
        Ok(mailboxes.into_iter().filter_map(of).collect())
    }

    async fn came_back(&self) -> Result<Vec<Trouble>> {
        let (filter, newest) = (BounceFilter::default(), i64::MAX);
        let events = self.opened.store.bounce_events(filter, newest, CAME_BACK).await?;
        let of = |event: postroad_store::BounceEvent| {
            let provider = event.provider.and_then(MailboxProvider::from_code);
            let words = [
                event.bounce.unwrap_or(event.kind),
                event.reason.unwrap_or_default(),
                provider.map(|p| format!("from {p}")).unwrap_or_default(),
                event.relay.map(|r| format!("through {r}")).unwrap_or_default(),
                event.campaign.map(|c| format!("in {c}")).unwrap_or_default(),
            ];
            let words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).collect();
            let at = Some(Timestamp(event.at).rfc3339());
            Trouble { at, what: words.join(" "), weight: Weight::Note }
        };
        Ok(events.into_iter().map(of).collect())
    }
}

/// What stands in the way now.
fn standing(nodes: i64, campaigns: &[Report], relays: &[RelayLine]) -> Vec<Trouble> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(Trouble { at: None, what, weight: Weight::Act });
    if nodes == 0 && campaigns.iter().any(|c| c.state == "running") {
        say("no node is running, so nothing is sent; `postroad serve` does".into());
    }
    for c in campaigns {
        if let CampaignState::Held { reason, .. } = &c.state_detail {
            let why = match reason {
                HoldReason::Brake(why) | HoldReason::Canary(why) => why.as_str(),
                HoldReason::MissingFact(what) => what.as_str(),
            };
            say(format!("campaign {} is held: {why}", c.campaign));
        }
        if c.imbalance != 0 {
            say(format!("campaign {}: the books are off by {}", c.campaign, c.imbalance));
        }
        if c.unreached > 0 {
            say(format!("campaign {} expires before {} are reached", c.campaign, c.unreached));
        }
    }
    for relay in relays {
        if let Some(until) = &relay.paused_until {
            let why = relay.pause_reason.as_deref().unwrap_or("no reason was given");
            say(format!("relay {} is paused until {}: {why}", relay.relay, draw_time(until)));
        }
        for brake in &relay.brakes {
            let provider = brake.provider.map_or("all providers", MailboxProvider::as_str);
            let until = draw_time(&brake.until);
            say(format!("relay {} not to {provider} until {until}: {}", relay.relay, brake.reason));
        }
    }
    found
}

/// `2026-11-22 06:40` of an RFC 3339 time; other words as they are.
pub fn draw_time(text: &str) -> String {
    match (text.get(..10), text.get(11..16), text.as_bytes().get(10)) {
        (Some(day), Some(minute), Some(b'T')) => format!("{day} {minute}"),
        (_, _, _) => text.to_owned(),
    }
}
