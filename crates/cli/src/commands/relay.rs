//! `relay list|pause|resume`; `relay test` has a file of its own.

use super::relay_test;
use crate::app::{App, Opened, Registry, Runs};
use crate::args::{RelayCommand, RelayPauseArgs};
use crate::exit::{Exit, Fault};
use crate::output::Table;
use anyhow::Result;
use postroad_model::limit::Keeper;
use postroad_model::relay::Relay;
use postroad_model::time::parse_duration;
use postroad_model::{MailboxProvider, RelayId, Timestamp};
use postroad_store::{Brake, LanePause};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

pub async fn run(app: &App, command: &RelayCommand) -> Result<Exit> {
    if let RelayCommand::Test(args) = command {
        return relay_test::run(app, args).await;
    }
    let opened = app.open(Runs::Briefly).await?;
    let registry = opened.register(app.now()).await?;
    match command {
        RelayCommand::List => list(app, &opened, &registry).await?,
        RelayCommand::Pause(args) => pause(app, &opened, &registry, args).await?,
        RelayCommand::Resume(args) => {
            let id = id(&opened, &registry, &args.name)?;
            opened.store.resume_lane(id).await?;
            let lifted = opened.store.clear_brakes(id).await?;
            let shown = json!({ "relay": args.name, "paused": false, "brakes_lifted": lifted });
            app.output.show(&shown, |_| match lifted {
                0 => format!("relay {} may send", args.name),
                n => format!(
                    "relay {} may send; {n} brakes for mailbox providers are lifted",
                    args.name
                ),
            })?;
        }
        RelayCommand::Test(_) => {}
    }
    opened.close().await;
    Ok(Exit::Ok)
}

fn id(opened: &Opened, registry: &Registry, name: &str) -> Result<RelayId> {
    let relay = find(&opened.config.relays, name)?;
    registry.relays.get(&relay.name).copied().ok_or_else(|| {
        Fault::new(Exit::Software, format!("relay {name} was not registered")).into()
    })
}

/// A relay of the configuration by name.
pub fn find<'a>(relays: &'a [Relay], name: &str) -> Result<&'a Relay> {
    relays.iter().find(|r| r.name == name).ok_or_else(|| {
        let known: Vec<&str> = relays.iter().map(|r| r.name.as_str()).collect();
        Fault::no_input(format!(
            "no relay named {name:?} in the configuration; it has: {}",
            known.join(", ")
        ))
        .into()
    })
}

async fn pause(
    app: &App,
    opened: &Opened,
    registry: &Registry,
    args: &RelayPauseArgs,
) -> Result<()> {
    let id = id(opened, registry, &args.name)?;
    let until = match &args.duration {
        None => Timestamp(i64::MAX),
        Some(text) => {
            let duration = parse_duration(text).ok_or_else(|| {
                Fault::usage(format!("--for {text:?} is no duration; write 30m, 2h or 3d"))
            })?;
            app.now().plus(duration)
        }
    };
    let reason = args.reason.clone();
    let pause = LanePause { until, reason, by: "operator".into(), count: 0 };
    let scope = find(&opened.config.relays, &args.name)?.limit_scope();
    opened.store.ensure_lane(id, &scope).await?;
    opened.store.pause_lane(id, &pause).await?;
    let shown = json!({ "relay": args.name, "paused": true, "until": end(until) });
    app.output.show(&shown, |_| {
        let until =
            end(until).map_or_else(|| "until `relay resume`".into(), |t| format!("until {t}"));
        format!("relay {} sends nothing {until}", args.name)
    })
}

fn end(until: Timestamp) -> Option<String> {
    (until.0 < i64::MAX).then(|| until.rfc3339())
}

/// One relay as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayLine {
    pub relay: String,
    pub profile: String,
    pub host: String,
    pub port: u16,
    pub pools: Vec<String>,
    pub limits: Vec<LimitLine>,
    pub served: bool,
    pub paused_until: Option<String>,
    pub pause_reason: Option<String>,
    pub brakes: Vec<BrakeLine>,
}

/// The relay rests for one mailbox provider, or for all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BrakeLine {
    pub provider: Option<MailboxProvider>,
    pub until: String,
    pub reason: String,
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitLine {
    pub name: String,
    pub window: String,
    pub limit: i64,
    /// Absent for limits that the sending process counts in its memory.
    pub used: Option<i64>,
    pub frees_at: Option<String>,
}

async fn list(app: &App, opened: &Opened, registry: &Registry) -> Result<()> {
    let lines = lines(opened, &registry.relays, app.now()).await?;
    app.output.show(&lines, |lines| table(lines).to_string())
}

/// The configuration's relays as they stand, by the numbers that the database gave to their names.
pub async fn lines(
    opened: &Opened,
    ids: &BTreeMap<String, RelayId>,
    now: Timestamp,
) -> Result<Vec<RelayLine>> {
    let lanes = opened.store.lanes().await?;
    let brakes = opened.store.brakes(now).await?;
    let mut lines = Vec::new();
    for relay in &opened.config.relays {
        let lane = lanes.iter().find(|l| ids.get(&relay.name) == Some(&l.relay));
        let pause = lane.and_then(|l| l.pause.as_ref()).filter(|p| p.until > now);
        lines.push(RelayLine {
            relay: relay.name.clone(),
            profile: relay.profile.clone(),
            host: relay.endpoint.host.clone(),
            port: relay.endpoint.port,
            pools: (opened.config.pools.iter())
                .filter(|p| p.relays.contains(&relay.name))
                .map(|p| p.name.clone())
                .collect(),
            limits: limits(opened, relay, now).await?,
            served: lane.is_some_and(|l| l.lease_until > now),
            paused_until: pause.map(|p| end(p.until).unwrap_or_else(|| "resumed".into())),
            pause_reason: pause.map(|p| p.reason.clone()),
            brakes: (brakes.iter())
                .filter(|b| b.relay.is_some() && b.relay == ids.get(&relay.name).copied())
                .map(brake_line)
                .collect(),
        });
    }
    Ok(lines)
}

fn brake_line(brake: &Brake) -> BrakeLine {
    BrakeLine {
        provider: brake.provider,
        until: end(brake.until).unwrap_or_else(|| "resumed".into()),
        reason: brake.reason.clone(),
        by: brake.by.clone(),
    }
}

async fn limits(opened: &Opened, relay: &Relay, now: Timestamp) -> Result<Vec<LimitLine>> {
    let mut books = opened.store.limits(&relay.limit_scope()).await?;
    let mut lines = Vec::new();
    for limit in &relay.limits {
        let kept = match limit.keeper {
            Keeper::Ledger => books.iter_mut().find(|b| b.limit.name == limit.name),
            Keeper::Pacer => None,
        };
        let used = kept.and_then(|b| {
            let used = b.book.used(&b.limit, now).ok()?;
            let frees = b.book.free(&b.limit, now).ok().and_then(|f| f.frees_at);
            Some((used, frees))
        });
        lines.push(LimitLine {
            name: limit.name.clone(),
            window: limit.window.to_string(),
            limit: limit.amount,
            used: used.map(|(n, _)| n),
            frees_at: used.and_then(|(_, at)| at).map(Timestamp::rfc3339),
        });
    }
    Ok(lines)
}

fn table(lines: &[RelayLine]) -> Table {
    let mut table = Table::new(&["relay", "profile", "host", "pools", "limits", "state"]);
    for line in lines {
        let limits: Vec<String> = line
            .limits
            .iter()
            .map(|l| match l.used {
                Some(used) => format!("{used} of {} in {}", l.limit, l.window),
                None => format!("{} in {}", l.limit, l.window),
            })
            .collect();
        let mut state = match (&line.paused_until, &line.pause_reason, line.served) {
            (Some(until), Some(reason), _) => format!("paused until {until}: {reason}"),
            (_, _, true) => "served".into(),
            (_, _, false) => "free".into(),
        };
        for brake in &line.brakes {
            let provider = brake.provider.map_or("all providers", MailboxProvider::as_str);
            state += &format!("; not to {provider} until {}: {}", brake.until, brake.reason);
        }
        table.row([
            line.relay.clone(),
            line.profile.clone(),
            format!("{}:{}", line.host, line.port),
            line.pools.join(", "),
            if limits.is_empty() { "none".into() } else { limits.join("; ") },
            state,
        ]);
    }
    table
}
