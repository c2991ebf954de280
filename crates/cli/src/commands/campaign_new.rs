//! `campaign new`: a folder from a shipped template, to be edited.

use super::campaign_spec::{CAMPAIGNS, check_name};
use crate::app::{App, Runs, folder_of};
use crate::args::CampaignNewArgs;
use crate::exit::{Exit, Fault};
use anyhow::Result;
use postroad_campaign::{Scaffold, scaffold};
use postroad_config::Config;
use postroad_model::relay::Senders;
use postroad_render::Locale;
use serde_json::json;

pub fn run(app: &App, args: &CampaignNewArgs) -> Result<Exit> {
    check_name(&args.name)?;
    let config = app.config(Runs::Briefly)?;
    let locale = Locale::parse(&args.lang).ok_or_else(|| {
        Fault::usage(format!("--lang {:?}: the shipped templates are in en and vi", args.lang))
    })?;
    let pool = match (&args.pool, config.pools.first()) {
        (Some(pool), _) => pool.clone(),
        (None, Some(pool)) => pool.name.clone(),
        (None, None) => "newsletter".into(),
    };
    let from = args.from.clone().unwrap_or_else(|| from_of(&config, &pool));
    let zone = jiff::tz::TimeZone::try_system().ok();
    let zone = zone.as_ref().and_then(|z| z.iana_name()).unwrap_or("UTC");
    let folder = scaffold(
        &folder_of(&config).join(CAMPAIGNS),
        &Scaffold {
            name: &args.name,
            template: &args.template,
            locale,
            list: args.lists.first().map_or("readers", String::as_str),
            from: &from,
            pool: &pool,
            zone,
        },
    )?;
    if args.lists.len() > 1 {
        app.output.warn("only the first --list was written; add the others to campaign.toml");
    }
    app.output.show(&json!({ "campaign": args.name, "folder": folder }), |_| {
        format!("{} is written", folder.display())
    })?;
    app.output.say(format!(
        "Edit campaign.toml and the template there, then `postroad campaign check {}`",
        args.name
    ));
    Ok(Exit::Ok)
}

/// A From that the pool can send as, where one can be seen.
fn from_of(config: &Config, pool: &str) -> String {
    let relays = config.pools.iter().filter(|p| p.name == pool).flat_map(|p| &p.relays);
    for relay in relays.filter_map(|name| config.relay(name)) {
        match &relay.senders {
            Senders::Itself(mailbox) => return mailbox.to_string(),
            Senders::Domains(domains) => {
                if let Some(domain) = domains.first() {
                    return format!("News <news@{domain}>");
                }
            }
            Senders::Any => {}
        }
    }
    match config.domains.first() {
        Some(domain) => format!("News <news@{}>", domain.name),
        None => "News <news@example.com>".into(),
    }
}
