//! `campaign plan`: who goes when, through what, and when it ends.

use super::{campaign_check, campaign_spec};
use crate::app::{App, Runs};
use crate::args::CampaignArgs;
use crate::exit::Exit;
use anyhow::Result;
use postroad_campaign::{forecast_now, plan};
use postroad_model::plan::{Outlook, Plan};
use serde_json::json;
use std::collections::BTreeMap;

pub async fn run(app: &App, args: &CampaignArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    opened.register(app.now()).await?;
    let (store, setup, now) = (&opened.store, &opened.setup, app.now());
    // What has started has its audience; only what is left is planned.
    let started = store.find_campaign(&args.name).await?.filter(|s| s.campaign.audience.is_some());
    let (plan, left_out) = match started {
        Some(stored) => {
            app.output.say("the campaign has started; this is the plan for what is left");
            (forecast_now(store, setup, &stored, now).await?, BTreeMap::new())
        }
        None => {
            let new = campaign_spec::load(&opened, &args.name, &args.spec)?;
            let planned = plan(store, setup, &new.settings, now, now).await?;
            (planned.plan, planned.left_out)
        }
    };
    let shown = json!({ "campaign": args.name, "plan": plan, "left_out": left_out });
    app.output.show(&shown, |_| {
        let left_out = campaign_check::left_out(&left_out);
        let lead = left_out.trim_start_matches("; ").to_owned();
        let lead = if lead.is_empty() { lead } else { format!("\n{lead}\n") };
        format!("{}{lead}", postroad_planner::explain(&plan))
    })?;
    opened.close().await;
    Ok(if ends(&plan) { Exit::Ok } else { Exit::Data })
}

fn ends(plan: &Plan) -> bool {
    matches!(plan.forecast.outlook, Outlook::Ends { .. })
}
