//! `campaign run`: one campaign in the foreground, until it ends, is stopped, or (`--no-wait`) all quota is used.

use super::campaign_report;
use crate::app::{App, Opened, Runs};
use crate::args::CampaignRunArgs;
use crate::exit::{Exit, Fault};
use crate::progress::Progress;
use crate::signals;
use crate::sinks::Sinks;
use crate::wiring::engine::{self, Running};
use anyhow::Result;
use postroad_campaign::{Counting, Report, report};
use postroad_delivery::core::Wait;
use postroad_model::campaign::{CampaignState, HoldReason};
use postroad_model::when::Zone;
use postroad_model::{CampaignId, RelayId, Timestamp};
use postroad_store::ServeWhich;
use std::time::Duration;

/// How often the figures are looked at.
const LOOK: Duration = Duration::from_millis(300);

pub async fn run(app: &App, args: &CampaignRunArgs) -> Result<Exit> {
    let mut config = app.config(Runs::Briefly)?;
    let sinks = Sinks::start(&mut config, &app.clock).await?;
    let opened = app.open_with(config).await?;
    let id = startable(app, &opened, &args.name).await?;
    let stop = signals::stop(app.output)?;
    let running = engine::start(app, &opened, ServeWhich::Only(id), None).await?;
    let watch = Watch { app, opened: &opened, id, name: &args.name, patience: patience(args) };
    let ended = tokio::select! {
        ended = watch.until_over(&running) => ended?,
        () = stop.cancelled() => Ended::Stopped,
    };
    running.stop().await;
    sinks.shutdown().await;
    let report =
        report(&opened.store, &opened.setup, &args.name, Counting::Rows, app.now()).await?;
    app.output.show(&report, campaign_report::text)?;
    let exit = watch.say(&ended, &report);
    opened.close().await;
    Ok(exit)
}

/// Whether waiting for quota is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Waits,
    EndsAtQuota,
}

fn patience(args: &CampaignRunArgs) -> Patience {
    if args.no_wait { Patience::EndsAtQuota } else { Patience::Waits }
}

/// Why `run` ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    /// The campaign is over.
    Over,
    /// Nothing can be sent before then.
    NoQuota(Timestamp),
    /// All lanes rest until then, and the reason of one of them.
    Paused(Timestamp, String),
    /// Its canary holds it, and why.
    Held(String),
    /// Ctrl-C or SIGTERM.
    Stopped,
}

/// The campaign's id, when it may be run.
async fn startable(app: &App, opened: &Opened, name: &str) -> Result<CampaignId> {
    let Some(stored) = opened.store.find_campaign(name).await? else {
        return Err(Fault::no_input(format!(
            "no campaign named {name:?} is scheduled; `postroad campaign schedule {name}` does that"
        ))
        .into());
    };
    let zone = Zone::parse(&stored.campaign.settings.zone)?;
    match &stored.campaign.state {
        CampaignState::Draft => Err(Fault::data(format!(
            "campaign {name} is a draft; `postroad campaign schedule {name}` schedules it"
        ))
        .into()),
        CampaignState::Held { reason: HoldReason::Canary(why), .. } => Err(Fault::data(format!(
            "campaign {name} is held by its canary: {why}; `postroad campaign resume {name} --anyway` lets it go on"
        ))
        .into()),
        CampaignState::Paused { .. } | CampaignState::Held { .. } => Err(Fault::data(format!(
            "campaign {name} is {}; `postroad campaign resume {name}` lets it go on",
            stored.campaign.state.name()
        ))
        .into()),
        CampaignState::Cancelled { .. } | CampaignState::Missed { .. } => Err(Fault::data(
            format!("campaign {name} is {}; make another to send it", stored.campaign.state.name()),
        )
        .into()),
        CampaignState::Scheduled { at } => {
            if *at > app.now() {
                app.output.say(format!("it starts {}", zone.long(*at)));
            }
            Ok(stored.campaign.id)
        }
        CampaignState::Running { .. } | CampaignState::Finished { .. } => Ok(stored.campaign.id),
    }
}

struct Watch<'a> {
    app: &'a App,
    opened: &'a Opened,
    id: CampaignId,
    name: &'a str,
    patience: Patience,
}

impl Watch<'_> {
    async fn until_over(&self, running: &Running) -> Result<Ended> {
        let bar = Progress::people(self.app.output, 0);
        let mut said = None;
        loop {
            let stored = self.opened.store.campaign_by_id(self.id).await?;
            if stored.campaign.state.is_over() {
                bar.done();
                return Ok(Ended::Over);
            }
            if let CampaignState::Held { reason: HoldReason::Canary(why), .. } =
                &stored.campaign.state
            {
                bar.done();
                return Ok(Ended::Held(why.clone()));
            }
            self.tell(&bar, &stored.campaign.state).await?;
            let started = matches!(stored.campaign.state, CampaignState::Running { .. });
            let rests = if started { self.rests(running).await? } else { None };
            match (rests, self.patience) {
                (Some(ended), Patience::EndsAtQuota) => {
                    bar.done();
                    return Ok(ended);
                }
                (Some(ended), Patience::Waits) => {
                    if said.as_ref() != Some(&ended) {
                        self.app.output.say(self.words(&ended));
                        said = Some(ended);
                    }
                }
                (None, _) => {}
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn tell(&self, bar: &Progress, state: &CampaignState) -> Result<()> {
        let report = campaign_report::figures(self.opened, self.id).await?;
        bar.total(u64::try_from(report.audience).unwrap_or(0));
        bar.at(u64::try_from(report.audience - report.open).unwrap_or(0));
        bar.message(format!(
            "{}: {} accepted, {} rejected, {} unknown",
            state.name(),
            report.accepted,
            report.rejected,
            report.unknown
        ));
        Ok(())
    }

    /// Set when no lane of the pool can send before a time, and rows wait for it.
    async fn rests(&self, running: &Running) -> Result<Option<Ended>> {
        let pool = {
            let stored = self.opened.store.campaign_by_id(self.id).await?;
            self.opened.setup.pool_relays(&stored.campaign.settings.pool)?.into_iter()
        };
        let ids: Vec<RelayId> = pool.filter_map(|r| running.relays.get(&r.name).copied()).collect();
        let waits: Vec<(RelayId, Wait)> = running
            .engine
            .snapshot()
            .waits
            .into_iter()
            .filter(|(relay, _)| ids.contains(relay))
            .collect();
        if waits.len() < ids.len() || waits.is_empty() {
            return Ok(None);
        }
        // A seed waits for its own relay: then lanes without rows say nothing about the rest.
        let seeds_only = campaign_report::figures(self.opened, self.id).await?.open == 0;
        let mut soonest: Option<(Timestamp, Option<RelayId>)> = None;
        for (relay, wait) in waits {
            let this = match wait {
                Wait::Quota(until) => (until, None),
                Wait::Paused(until) => (until, Some(relay)),
                Wait::NoRows(_) if seeds_only => continue,
                Wait::Working | Wait::NoRows(_) | Wait::Lost => return Ok(None),
            };
            if soonest.is_none_or(|s| this.0 < s.0) {
                soonest = Some(this);
            }
        }
        Ok(match soonest {
            Some((until, None)) => Some(Ended::NoQuota(until)),
            Some((until, Some(relay))) => Some(Ended::Paused(until, self.reason(relay).await?)),
            None => None,
        })
    }

    /// Why a lane is paused.
    async fn reason(&self, relay: RelayId) -> Result<String> {
        let names = self.opened.store.relay_names().await?;
        let name = names.get(&relay).cloned().unwrap_or_else(|| relay.to_string());
        let lanes = self.opened.store.lanes().await?;
        let pause = lanes.into_iter().find(|l| l.relay == relay).and_then(|l| l.pause);
        let reason = pause.map_or_else(|| "paused".to_owned(), |p| p.reason);
        Ok(format!("relay {name}: {reason}"))
    }

    fn words(&self, ended: &Ended) -> String {
        let until = |t: &Timestamp| {
            if t.0 == i64::MAX { "somebody resumes it".to_owned() } else { t.rfc3339() }
        };
        match ended {
            Ended::Over => format!("campaign {} is over", self.name),
            Ended::NoQuota(t) => format!("all quota is used; it goes on at {}", until(t)),
            Ended::Paused(t, why) => format!("nothing can be sent until {}: {why}", until(t)),
            Ended::Held(why) => format!(
                "campaign {name} is held by its canary: {why}; `postroad campaign resume {name} --anyway`, then run it again",
                name = self.name
            ),
            Ended::Stopped => {
                format!("stopped; `postroad campaign run {}` goes on where it was", self.name)
            }
        }
    }

    fn say(&self, ended: &Ended, report: &Report) -> Exit {
        match ended {
            Ended::Over => {
                if report.unknown > 0 {
                    self.app.output.warn(format!(
                        "{} are unknown: their answer was lost; `postroad campaign retry {} --state unknown` sends \
                         them again, and some may then get it twice",
                        report.unknown, self.name
                    ));
                }
                Exit::Ok
            }
            Ended::NoQuota(_) | Ended::Paused(..) | Ended::Held(_) | Ended::Stopped => {
                self.app.output.say(self.words(ended));
                Exit::TryLater
            }
        }
    }
}
