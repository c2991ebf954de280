//! The operator's acts on a campaign: pause, resume, cancel, retry. Each works by the campaign's row at once.
//!
//! Rows follow in slices (`supervisor`). What must hold: a retry is recorded, and reopens no row that may still be
//! on its way.

use crate::{Error, Result, Setup, canary};
use postroad_model::Timestamp;
use postroad_model::campaign::{CampaignAct, CampaignState, HoldReason};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_store::{Ending, Reopening, Store};
use serde::Serialize;

/// Pauses a campaign: no row of it is leased or gets a permit from here on.
///
/// # Errors
/// When its state does not allow it.
pub async fn pause(store: &Store, name: &str, now: Timestamp) -> Result<CampaignState> {
    act(store, name, &CampaignAct::Pause, now).await
}

/// Resumes a paused or held campaign. One that its canary holds is judged again by what was found since.
///
/// # Errors
/// When its state does not allow it; `CanaryHolds` when the verdict stands.
pub async fn resume(store: &Store, name: &str, now: Timestamp) -> Result<CampaignState> {
    let stored = store.campaign(name).await?;
    if let CampaignState::Held { reason: HoldReason::Canary(_), .. } = &stored.campaign.state {
        canary::judge_again(store, &stored, now).await?;
    }
    act(store, name, &CampaignAct::Resume, now).await
}

/// Resumes a paused or held campaign whatever its canary or a brake says, by the word of `by` and for a reason, both recorded.
///
/// # Errors
/// When its state does not allow it.
pub async fn resume_anyway(
    store: &Store,
    name: &str,
    (by, reason): (&str, Option<&str>),
    now: Timestamp,
) -> Result<CampaignState> {
    let stored = store.campaign(name).await?;
    if let CampaignState::Running { .. } = &stored.campaign.state {
        canary::waive(store, &stored, (by, reason), now).await?;
        return Ok(stored.campaign.state);
    }
    stored
        .campaign
        .state
        .after(&CampaignAct::Resume, now)
        .map_err(|source| postroad_store::Error::Transition { name: name.to_owned(), source })?;
    if !canary::waive(store, &stored, (by, reason), now).await? {
        let data = serde_json::json!({
            "by": by,
            "why": reason.unwrap_or("no reason was given"),
            "held": held_by(&stored.campaign.state),
        });
        store.record_campaign_event(stored.campaign.id, "resume", &data, now).await?;
    }
    act(store, name, &CampaignAct::Resume, now).await
}

/// What stopped it.
fn held_by(state: &CampaignState) -> String {
    match state {
        CampaignState::Held { reason: HoldReason::Brake(why), .. } => format!("a brake: {why}"),
        CampaignState::Held { reason: HoldReason::Canary(why), .. } => format!("its canary: {why}"),
        CampaignState::Held { reason: HoldReason::MissingFact(why), .. } => why.clone(),
        CampaignState::Paused { .. } => "a pause".to_owned(),
        CampaignState::Draft
        | CampaignState::Scheduled { .. }
        | CampaignState::Running { .. }
        | CampaignState::Finished { .. }
        | CampaignState::Cancelled { .. }
        | CampaignState::Missed { .. } => state.name().to_owned(),
    }
}

/// Cancels a campaign at once, then ends its waiting rows; gives how many ended here. What lanes hold ends when
/// they put it back.
///
/// # Errors
/// When its state does not allow it.
pub async fn cancel(store: &Store, name: &str, now: Timestamp) -> Result<u64> {
    let id = store.campaign(name).await?.campaign.id;
    store.apply_campaign_act(id, &CampaignAct::Cancel, now).await?;
    let mut ended = 0;
    loop {
        match store.end_rows(id, Ending::Cancelled, now).await? {
            0 => return Ok(ended),
            n => ended += n,
        }
    }
}

async fn act(
    store: &Store,
    name: &str,
    act: &CampaignAct,
    now: Timestamp,
) -> Result<CampaignState> {
    let id = store.campaign(name).await?.campaign.id;
    Ok(store.apply_campaign_act(id, act, now).await?)
}

/// What `retry` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Rows that wait again.
    pub reopened: u64,
    /// The campaign's state now.
    pub state: &'static str,
}

/// Reopens the rows of a campaign in some states, by the word of `by`. A campaign whose time is over gets some more.
///
/// # Errors
/// `NotRetried` for a state that is not to be reopened; when the campaign's state does not allow it.
pub async fn retry(
    store: &Store,
    setup: &Setup,
    name: &str,
    states: &[DeliveryState],
    by: &str,
    now: Timestamp,
) -> Result<Retried> {
    for state in states {
        let reopens = matches!(
            state,
            DeliveryState::Rejected
                | DeliveryState::Failed
                | DeliveryState::Expired
                | DeliveryState::Bounced
                | DeliveryState::Unknown
        );
        if !reopens {
            return Err(Error::NotRetried(state.as_str()));
        }
    }
    let stored = store.campaign(name).await?;
    let id = stored.campaign.id;
    let rows = store.count_rows(id, Role::Audience).await?;
    if !rows.iter().any(|(state, n)| *n > 0 && states.contains(state)) {
        // Nothing is opened, so a finished campaign stays finished; one that cannot be reopened says so all the same.
        let state = &stored.campaign.state;
        let refused = |source| postroad_store::Error::Transition { name: name.to_owned(), source };
        state.after(&CampaignAct::Reopen, now).map_err(refused)?;
        return Ok(Retried { reopened: 0, state: state.name() });
    }
    store.apply_campaign_act(id, &CampaignAct::Reopen, now).await?;
    if stored.expires_at.is_some_and(|t| t <= now) {
        store.set_campaign_expiry(id, now.plus(setup.expire_after), now).await?;
    }
    let any_time = Timestamp(i64::MAX);
    let reopened = store.reopen_rows(id, states, any_time, Reopening::Operator, now).await?;
    let names: Vec<&str> = states.iter().map(|s| s.as_str()).collect();
    let data = serde_json::json!({ "states": names, "by": by, "reopened": reopened });
    store.record_campaign_event(id, "retry", &data, now).await?;
    // Somebody may have found it finished while the rows were on their way.
    let state = store.apply_campaign_act(id, &CampaignAct::Reopen, now).await?;
    Ok(Retried { reopened, state: state.name() })
}
