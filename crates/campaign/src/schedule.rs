//! `schedule`: settings and template copied by content, with a forecast; or refused with every reason.
//!
//! What must hold: after a refusal nothing has changed; what is scheduled is sent as it was copied, whatever is
//! edited later.

use crate::check::{identities, in_time, opens, unsubscribing};
use crate::finding::{Finding, Severity};
use crate::planning::{count, plan_input, planned};
use crate::seeding;
use crate::{Composer, Error, Result, Setup};
use postroad_model::Timestamp;
use postroad_model::campaign::{CampaignAct, CampaignSettings};
use postroad_model::plan::Plan;
use postroad_model::when::Zone;
use postroad_store::{NewCampaign, Store, StoredCampaign};
use std::collections::BTreeMap;

/// A start this much in the past counts as now: people take a moment to press Enter.
const GRACE_MS: i64 = 60_000;

/// A scheduled campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The campaign.
    pub stored: StoredCampaign,
    /// When it starts.
    pub at: Timestamp,
    /// Plan and forecast.
    pub plan: Plan,
    /// How many are left out as the lists stand, by reason.
    pub left_out: BTreeMap<&'static str, i64>,
    /// What the operator should know; no errors among them.
    pub findings: Vec<Finding>,
}

/// What `schedule` would say: the plan where one can be made, and all findings.
///
/// # Errors
/// What keeps it from being looked at: an unknown list, pool or zone, a template or filter with a fault.
pub async fn preview(
    store: &Store,
    setup: &Setup,
    new: &NewCampaign,
    at: Timestamp,
    now: Timestamp,
) -> Result<(Option<Plan>, BTreeMap<&'static str, i64>, Vec<Finding>)> {
    let settings = &new.settings;
    let draft = crate::check::unsaved(&new.name, settings, &[], now);
    Composer::new(&draft, setup, store.keys())?;
    let (_, mut findings) = identities(setup, settings)?;
    findings.extend(unsubscribing(setup, settings));
    findings.extend(opens(setup, settings));
    findings.extend(times(settings, at, now)?);
    let counted = count(store, settings).await?;
    let left_out = counted.left_out.clone();
    if counted.people() == 0 {
        let message = format!("nobody would get it: {}", counted.reasons());
        findings.push(Finding::error("empty_audience", message));
        return Ok((None, left_out, findings));
    }
    findings.extend(seeding::findings(setup, settings, &counted.providers()));
    if findings.iter().any(|f| f.severity == Severity::Error) {
        return Ok((None, left_out, findings));
    }
    let cohorts = counted.with_seeds(setup, settings);
    let input = plan_input(store, setup, settings, cohorts, at, now).await?;
    let plan = planned(&input, counted.people())?;
    findings.extend(in_time(&plan.forecast));
    Ok((Some(plan), left_out, findings))
}

fn times(settings: &CampaignSettings, at: Timestamp, now: Timestamp) -> Result<Vec<Finding>> {
    let zone = Zone::parse(&settings.zone)?;
    let mut findings = Vec::new();
    if at < now.plus_ms(-GRACE_MS) {
        let message = format!("{} has passed; leave --at out to start at once", zone.long(at));
        findings.push(Finding::error("past", message));
    }
    if let Some(latest) = settings.latest_start.filter(|t| *t < at.max(now)) {
        let message = format!("it would start after latest_start, {}", zone.long(latest));
        findings.push(Finding::error("latest_start", message));
    }
    if let Some(expires) = settings.expires_at.filter(|t| *t <= at.max(now)) {
        let message = format!("it expires at {}, before it starts", zone.long(expires));
        findings.push(Finding::error("expired", message));
    }
    Ok(findings)
}

/// Schedules a campaign; an unset expiry becomes the configured time after the start.
///
/// # Errors
/// `Refused` with every reason; `Exists` when a campaign of that name has started.
pub async fn schedule(
    store: &Store,
    setup: &Setup,
    new: &NewCampaign,
    at: Timestamp,
    now: Timestamp,
) -> Result<Scheduled> {
    let (plan, left_out, mut findings) = preview(store, setup, new, at, now).await?;
    let errors: Vec<Finding> =
        findings.iter().filter(|f| f.severity == Severity::Error).cloned().collect();
    let (true, Some(plan)) = (errors.is_empty(), plan) else {
        return Err(Error::Refused(errors));
    };
    let mut new = new.clone();
    let start = at.max(now);
    new.settings.expires_at.get_or_insert(start.plus(setup.expire_after));
    let stored = store.save_campaign(&new, &[CampaignAct::Schedule { at: start }], now).await?;
    store.save_plan(stored.campaign.id, &plan, now).await?;
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    Ok(Scheduled { stored, at: start, plan, left_out, findings })
}
