//! `campaign schedule`: settings and template are copied; it starts at its time wherever a node runs.

use super::{campaign_check, campaign_spec};
use crate::app::{App, Opened, Runs};
use crate::args::CampaignScheduleArgs;
use crate::exit::Exit;
use anyhow::Result;
use postroad_campaign::{Finding, Severity, preview, schedule};
use postroad_model::Timestamp;
use postroad_model::plan::Plan;
use postroad_model::when::{Zone, parse_when};
use postroad_store::NewCampaign;
use serde_json::json;
use std::collections::BTreeMap;

pub async fn run(app: &App, args: &CampaignScheduleArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let new = campaign_spec::load(&opened, &args.name, &args.spec)?;
    opened.register(app.now()).await?;
    let now = app.now();
    let zone = Zone::parse(&new.settings.zone)?;
    let at = match &args.at {
        None => now,
        Some(text) => {
            let when = parse_when(text, Some(&zone))?;
            if let Some(note) = &when.note {
                app.output.warn(note);
            }
            when.at
        }
    };
    let exit = if args.dry_run {
        dry_run(app, &opened, &new, at).await
    } else {
        commit(app, &opened, &new, at, &zone).await
    }?;
    opened.close().await;
    Ok(exit)
}

async fn dry_run(app: &App, opened: &Opened, new: &NewCampaign, at: Timestamp) -> Result<Exit> {
    let (plan, left_out, findings) =
        preview(&opened.store, &opened.setup, new, at, app.now()).await?;
    let refused = findings.iter().any(|f| f.severity == Severity::Error);
    let shown = json!({
        "campaign": new.name, "scheduled": false, "starts_at": at.rfc3339(),
        "forecast": plan.as_ref().map(|p| &p.forecast), "left_out": left_out, "findings": findings,
    });
    app.output.show(&shown, |_| text(plan.as_ref(), &left_out, &findings))?;
    Ok(if refused { Exit::Data } else { Exit::Ok })
}

async fn commit(
    app: &App,
    opened: &Opened,
    new: &NewCampaign,
    at: Timestamp,
    zone: &Zone,
) -> Result<Exit> {
    let done = schedule(&opened.store, &opened.setup, new, at, app.now()).await?;
    let shown = json!({
        "campaign": new.name, "scheduled": true, "starts_at": done.at.rfc3339(),
        "forecast": done.plan.forecast, "left_out": done.left_out, "findings": done.findings,
    });
    app.output.show(&shown, |_| {
        let figures = text(Some(&done.plan), &done.left_out, &done.findings);
        format!("Campaign {} starts {}\n{figures}", new.name, zone.long(done.at))
    })?;
    if node_runs(opened, app.now()).await? {
        app.output.say("A node is running and will send it.");
    } else {
        app.output.say(format!(
            "No node is running: nothing is sent until `postroad campaign run {}` or `postroad serve` runs.",
            new.name
        ));
    }
    Ok(Exit::Ok)
}

fn text(
    plan: Option<&Plan>,
    left_out: &BTreeMap<&'static str, i64>,
    findings: &[Finding],
) -> String {
    let mut text = plan.map(|p| format!("{}\n", p.forecast)).unwrap_or_default();
    let left_out = campaign_check::left_out(left_out);
    if !left_out.is_empty() {
        text.push_str(&format!("{}\n", left_out.trim_start_matches("; ")));
    }
    text.push_str(&campaign_check::findings(findings));
    text
}

/// True while some lane's lease holds: an engine lives.
pub async fn node_runs(opened: &Opened, now: Timestamp) -> Result<bool> {
    Ok(opened.store.lanes().await?.iter().any(|lane| lane.lease_until > now))
}
