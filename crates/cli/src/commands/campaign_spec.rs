//! A campaign as the command line gives it: `campaigns/NAME/campaign.toml`, flags over it, or flags alone.

use crate::app::Opened;
use crate::args::SpecArgs;
use crate::environment;
use crate::exit::Fault;
use anyhow::Result;
use postroad_campaign::spec::{self, Defaults, RawAttachment, RawOnUnknown, RawSeeds, RawSpec};
use postroad_campaign::{RawCanary, RawShare};
use postroad_model::campaign::{CampaignKind, CampaignSettings};
use postroad_model::when::Zone;
use postroad_store::NewCampaign;
use std::path::{Path, PathBuf};

/// The folder of campaigns, beside the configuration.
pub const CAMPAIGNS: &str = "campaigns";

/// Names stand in file names, commands and header fields.
pub fn check_name(name: &str) -> Result<()> {
    let fine = (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !name.starts_with(['.', '-']);
    if fine {
        return Ok(());
    }
    Err(Fault::usage(format!(
        "{name:?} is no campaign's name: letters, digits, '-', '_' and '.', at most 64 octets"
    ))
    .into())
}

/// The campaign as it would be saved.
pub fn load(opened: &Opened, name: &str, args: &SpecArgs) -> Result<NewCampaign> {
    check_name(name)?;
    let settings = settings(opened, name, args)?;
    Ok(NewCampaign {
        name: name.to_owned(),
        kind: CampaignKind::Bulk,
        settings,
        seed: environment::random_i64(),
    })
}

fn settings(opened: &Opened, name: &str, args: &SpecArgs) -> Result<CampaignSettings> {
    let flags = raw(args)?;
    let own = opened.folder().join(CAMPAIGNS).join(name).join("campaign.toml");
    let file = match &args.file {
        Some(file) => Some(file.clone()),
        None if own.exists() => Some(own.clone()),
        None => None,
    };
    let (spec, folder) = match file {
        Some(file) => {
            let (spec, folder) = spec::read(&file)?;
            (spec.overridden_by(flags), folder)
        }
        None if flags == RawSpec::default() => {
            return Err(Fault::no_input(format!(
                "there is no {}; `postroad campaign new {name}` writes one, or say --list, --from, --subject, \
                 --template and --pool",
                own.display()
            ))
            .into());
        }
        None => (flags, PathBuf::from(".")),
    };
    let defaults = Defaults { zone: Zone::utc(), on_unknown: opened.config.engine.on_unknown };
    Ok(spec.settings(&folder, &defaults)?)
}

/// Files named in flags lie where the command is run, not beside campaign.toml.
fn raw(args: &SpecArgs) -> Result<RawSpec> {
    let file = |path: &Path| -> Result<String> {
        Ok(std::path::absolute(path)?.to_string_lossy().into_owned())
    };
    let attachment = |path: &PathBuf| -> Result<RawAttachment> {
        Ok(RawAttachment { file: file(path)?, name: None, media_type: None, cid: None })
    };
    Ok(RawSpec {
        lists: args.lists.clone(),
        exclude: args.exclude.clone(),
        filter: args.filter.clone(),
        from: args.from.clone(),
        reply_to: args.reply_to.clone(),
        subject: args.subject.clone(),
        preheader: args.preheader.clone(),
        template: args.template.as_deref().map(file).transpose()?,
        text: args.text.as_deref().map(file).transpose()?,
        attachments: args.attach.iter().map(attachment).collect::<Result<_>>()?,
        pool: args.pool.clone(),
        window: args.window.clone(),
        zone: args.zone.clone(),
        locale: args.locale.clone(),
        latest_start: args.latest_start.clone(),
        expires: args.expires.clone(),
        seeds: seeds(&args.seeds),
        on_unknown: args.on_unknown.clone().map(RawOnUnknown::Word),
        canary: canary(args),
        track_opens: args.track_opens.then_some(true),
    })
}

fn canary(args: &SpecArgs) -> Option<RawCanary> {
    let raw = RawCanary {
        share: args.canary_share.clone().map(RawShare::Text),
        wait: args.canary_wait.clone(),
        min_inbox: args.canary_min_inbox.clone().map(RawShare::Text),
    };
    (raw != RawCanary::default()).then_some(raw)
}

/// A single word may be `all` or `none`; anything else is names.
fn seeds(given: &[String]) -> Option<RawSeeds> {
    match given {
        [] => None,
        [word] if matches!(word.as_str(), "all" | "none") => Some(RawSeeds::Word(word.clone())),
        names => Some(RawSeeds::Names(names.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_for_a_folder() {
        let check = |name: &str, ok: bool| assert_eq!(check_name(name).is_ok(), ok, "{name:?}");
        check("december-2026", true);
        check("tết_2027", true);
        check("", false);
        check("../etc", false);
        check(".hidden", false);
        check("-x", false);
        check("a b", false);
    }
}
