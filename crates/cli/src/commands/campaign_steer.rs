//! `campaign pause|resume|cancel|retry`: the operator's acts.

use crate::app::{App, Runs};
use crate::args::{CampaignNameArgs, CampaignResumeArgs, CampaignRetryArgs};
use crate::environment;
use crate::exit::{Exit, Fault};
use anyhow::Result;
use postroad_model::delivery::DeliveryState;
use serde_json::json;

pub async fn pause(app: &App, args: &CampaignNameArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let state = postroad_campaign::pause(&opened.store, &args.name, app.now()).await?;
    app.output.show(&json!({ "campaign": args.name, "state": state.name() }), |_| {
        format!("campaign {} is paused; what is on the wire now still ends", args.name)
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

pub async fn resume(app: &App, args: &CampaignResumeArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let (store, name, now) = (&opened.store, &args.name, app.now());
    let state = if args.anyway {
        let operator = environment::operator();
        let word = (operator.as_str(), args.reason.as_deref());
        postroad_campaign::resume_anyway(store, name, word, now).await?
    } else {
        postroad_campaign::resume(store, name, now).await?
    };
    app.output.show(&json!({ "campaign": args.name, "state": state.name() }), |_| {
        format!("campaign {} is {}", args.name, state.name())
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

pub async fn cancel(app: &App, args: &CampaignNameArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let ended = postroad_campaign::cancel(&opened.store, &args.name, app.now()).await?;
    let shown = json!({ "campaign": args.name, "state": "cancelled", "cancelled": ended });
    app.output.show(&shown, |_| {
        format!("campaign {} is cancelled; {ended} messages that waited are not sent", args.name)
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

pub async fn retry(app: &App, args: &CampaignRetryArgs) -> Result<Exit> {
    let states = states(&args.states)?;
    let opened = app.open(Runs::Briefly).await?;
    let (store, setup) = (&opened.store, &opened.setup);
    let done =
        postroad_campaign::retry(store, setup, &args.name, &states, "cli", app.now()).await?;
    if states.contains(&DeliveryState::Unknown) {
        app.output
            .warn("some of the unknown ones may have been delivered: they may get a second copy");
    }
    let shown = json!({ "campaign": args.name, "state": done.state, "reopened": done.reopened });
    app.output.show(&shown, |_| {
        format!("{} messages wait again; campaign {} is {}", done.reopened, args.name, done.state)
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

/// States by name.
pub fn states(names: &[String]) -> Result<Vec<DeliveryState>> {
    names
        .iter()
        .map(|name| {
            DeliveryState::from_name(name).ok_or_else(|| {
                let known: Vec<&str> = DeliveryState::ALL.iter().map(|s| s.as_str()).collect();
                Fault::usage(format!("--state {name:?} is none of {}", known.join(", "))).into()
            })
        })
        .collect()
}
