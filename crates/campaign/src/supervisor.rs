//! What campaigns need done by the clock: starts, misses, send windows, expiry, rows that follow a cancel, resends,
//! canaries, brakes by placement, finishing.
//!
//! Stepped by `serve` and `run`, on every node: each step looks at the rows and does what is due, in slices, so that
//! several nodes may do it at once and a killed one loses nothing. It leases no row and sends nothing.

use crate::audience::{Freeze, freeze};
use crate::{Result, Setup, canary, seeding, spam_brake};
use postroad_model::campaign::{CampaignAct, CampaignState, OnUnknown};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, MailboxProvider, NodeId, Timestamp};
use postroad_store::{Count, Ending, Reopening, Store, StoredCampaign};

/// Without anything due, a step is wanted again after this.
const IDLE_MS: i64 = 5_000;

/// Looks after all campaigns, or one.
#[derive(Debug)]
pub struct Supervisor {
    node: NodeId,
    only: Option<CampaignId>,
}

/// Something that a step did or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A campaign started with its audience.
    Started {
        /// Its name.
        campaign: String,
        /// Its size.
        audience: i64,
    },
    /// Its latest start passed.
    Missed {
        /// Its name.
        campaign: String,
    },
    /// Rows ended with their campaign.
    Ended {
        /// Its name.
        campaign: String,
        /// How many.
        rows: u64,
    },
    /// Unknown rows are sent again.
    Resent {
        /// Its name.
        campaign: String,
        /// How many.
        rows: u64,
    },
    /// Nothing is left.
    Finished {
        /// Its name.
        campaign: String,
    },
    /// Its canary's copies reached the inboxes: the rest goes.
    CanaryPassed {
        /// Its name.
        campaign: String,
        /// What was found.
        why: String,
    },
    /// Its canary has too few seeds to go by: the rest goes.
    CanaryWarned {
        /// Its name.
        campaign: String,
        /// The warning.
        why: String,
    },
    /// Its canary holds it.
    CanaryHeld {
        /// Its name.
        campaign: String,
        /// Why.
        why: String,
    },
    /// A relay leaves a mailbox provider to the others, or is slowed for it.
    Braked {
        /// The campaign's name.
        campaign: String,
        /// The relay's.
        relay: String,
        /// The provider.
        provider: MailboxProvider,
        /// Why.
        why: String,
    },
    /// Something about this campaign failed; the others went on.
    Failed {
        /// Its name.
        campaign: String,
        /// What.
        error: String,
    },
}

impl Supervisor {
    /// For all campaigns (`serve`) or one (`run`).
    #[must_use]
    pub fn new(node: NodeId, only: Option<CampaignId>) -> Self {
        Self { node, only }
    }

    /// Does all that is due; gives what happened and when to step again.
    ///
    /// # Errors
    /// When the campaigns cannot be read. What fails about one campaign is told as [`Happened::Failed`].
    pub async fn step(
        &self,
        store: &Store,
        setup: &Setup,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<(Vec<Happened>, Timestamp)> {
        let mut happened = Vec::new();
        let mut wake = now().plus_ms(IDLE_MS);
        for stored in store.living_campaigns().await? {
            if self.only.is_some_and(|id| id != stored.campaign.id) {
                continue;
            }
            let times = [stored.start_at, stored.expires_at, stored.window_close_at];
            let next = times.into_iter().flatten().filter(|t| *t > now()).min();
            wake = wake.min(next.unwrap_or(wake));
            if let Err(e) = self.look(store, setup, &stored, now, &mut happened).await {
                let campaign = stored.campaign.name.clone();
                happened.push(Happened::Failed { campaign, error: e.to_string() });
            }
        }
        Ok((happened, wake))
    }

    async fn look(
        &self,
        store: &Store,
        setup: &Setup,
        stored: &StoredCampaign,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
        happened: &mut Vec<Happened>,
    ) -> Result<()> {
        let id = stored.campaign.id;
        match &stored.campaign.state {
            CampaignState::Scheduled { at } if *at <= now() => {
                self.start(store, setup, stored, now, happened).await
            }
            CampaignState::Cancelled { .. } => {
                if stored.campaign.audience.is_none() {
                    store.close_audience(id, now()).await?;
                }
                end_rows(store, stored, Ending::Cancelled, now(), happened).await
            }
            CampaignState::Running { .. }
            | CampaignState::Held { .. }
            | CampaignState::Paused { .. } => {
                under_way(store, setup, stored, now(), happened).await
            }
            CampaignState::Draft
            | CampaignState::Scheduled { .. }
            | CampaignState::Finished { .. }
            | CampaignState::Missed { .. } => Ok(()),
        }
    }

    async fn start(
        &self,
        store: &Store,
        setup: &Setup,
        stored: &StoredCampaign,
        now: &(dyn Fn() -> Timestamp + Send + Sync),
        happened: &mut Vec<Happened>,
    ) -> Result<()> {
        let (id, name) = (stored.campaign.id, stored.campaign.name.clone());
        let late = stored.campaign.settings.latest_start.is_some_and(|t| t < now());
        let over = stored.expires_at.is_some_and(|t| t <= now());
        if late || over {
            store.apply_campaign_act(id, &CampaignAct::Miss, now()).await?;
            happened.push(Happened::Missed { campaign: name });
            return Ok(());
        }
        if stored.campaign.audience.is_none() {
            match freeze(store, &stored.campaign, self.node, now).await? {
                Freeze::Done { .. } => {}
                Freeze::Elsewhere | Freeze::GivenUp => return Ok(()),
            }
        }
        // Freezing takes a while: it may have been scheduled anew meanwhile, for another time or with a canary.
        let frozen = store.campaign_by_id(id).await?;
        match frozen.campaign.state {
            CampaignState::Scheduled { at } if at <= now() => {}
            CampaignState::Scheduled { .. }
            | CampaignState::Draft
            | CampaignState::Running { .. }
            | CampaignState::Held { .. }
            | CampaignState::Paused { .. }
            | CampaignState::Finished { .. }
            | CampaignState::Cancelled { .. }
            | CampaignState::Missed { .. } => return Ok(()),
        }
        seeding::plan_seeds(store, setup, &frozen.campaign, now()).await?;
        let canary = canary::beginning(store, &frozen).await?;
        let canary = canary.as_ref().map(|(limit, note)| (*limit, note));
        // Not when it was changed, cancelled or started since it was read: the next step sees it as it is then.
        if store.start_campaign(&frozen, canary, now()).await? {
            let audience = frozen.campaign.audience.unwrap_or_default();
            happened.push(Happened::Started { campaign: name, audience });
        }
        Ok(())
    }
}

/// A campaign that has started and is not over.
async fn under_way(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let id = stored.campaign.id;
    let expired = stored.expires_at.is_some_and(|t| t <= now);
    if expired {
        end_rows(store, stored, Ending::Expired, now, happened).await?;
    } else {
        if stored.window_close_at.is_some_and(|t| t <= now) {
            store.refresh_send_window(stored, now).await?;
        }
        if let CampaignState::Held { until: Some(until), .. } = &stored.campaign.state
            && *until <= now
        {
            store.apply_campaign_act(id, &CampaignAct::Resume, now).await?;
        }
    }
    let running = stored.campaign.state.runs();
    let counts = store.counters(id).await?;
    if running && !expired {
        if canary::stands(store, stored).await? {
            canary::release(store, stored, now).await?;
        } else {
            seeding::release(store, id, &counts, now).await?;
        }
        spam_brake::step(store, setup, stored, now, happened).await?;
        canary::step(store, stored, now, happened).await?;
    }
    let counted = sums(&counts);
    let of = |wanted: &dyn Fn(DeliveryState) -> bool| -> i64 {
        counted.iter().filter(|(s, _)| wanted(*s)).map(|(_, n)| n).sum()
    };
    let unknown = of(&|s| s == DeliveryState::Unknown);
    if running && !expired && unknown > 0 {
        match resend(store, setup, stored, now, happened).await? {
            Resend::Later | Resend::Done => return Ok(()),
            Resend::Never => {}
        }
    }
    if of(&DeliveryState::is_open) == 0 && (running || expired) {
        finish(store, stored, now, happened).await?;
    }
    Ok(())
}

/// Rows of any role by state, from the counters.
fn sums(counts: &[Count]) -> Vec<(DeliveryState, i64)> {
    let sum = |state: DeliveryState| {
        counts.iter().filter(|c| c.code == state.code()).map(|c| c.n).sum::<i64>()
    };
    DeliveryState::ALL.into_iter().map(|s| (s, sum(s))).collect()
}

/// What is to come of a campaign's unknown rows.
enum Resend {
    /// Some wait for evidence still, and are sent again if none comes.
    Later,
    /// Some were reopened now.
    Done,
    /// They stay as they are: by the campaign's word, or because they have had all their copies.
    Never,
}

async fn resend(
    store: &Store,
    setup: &Setup,
    stored: &StoredCampaign,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<Resend> {
    let OnUnknown::Resend { copies } = stored.campaign.settings.on_unknown else {
        return Ok(Resend::Never);
    };
    let id = stored.campaign.id;
    let policy = Reopening::Policy { copies: i64::from(copies) };
    let wait = i64::try_from(setup.unknown_wait.as_millis()).unwrap_or(i64::MAX);
    let unknown = [DeliveryState::Unknown];
    let rows = store.reopen_rows(id, &unknown, now.plus_ms(-wait), policy, now).await?;
    if rows > 0 {
        let data = serde_json::json!({ "by": "on_unknown", "reopened": rows });
        store.record_campaign_event(id, "resend", &data, now).await?;
        happened.push(Happened::Resent { campaign: stored.campaign.name.clone(), rows });
        return Ok(Resend::Done);
    }
    let waiting = store.resendable(id, i64::from(copies)).await?;
    Ok(if waiting { Resend::Later } else { Resend::Never })
}

async fn end_rows(
    store: &Store,
    stored: &StoredCampaign,
    ending: Ending,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let mut rows = 0;
    loop {
        match store.end_rows(stored.campaign.id, ending, now).await? {
            0 => break,
            n => rows += n,
        }
    }
    if rows > 0 {
        happened.push(Happened::Ended { campaign: stored.campaign.name.clone(), rows });
    }
    Ok(())
}

/// The counters say that nothing is open; the rows are asked once more before the word is given.
async fn finish(
    store: &Store,
    stored: &StoredCampaign,
    now: Timestamp,
    happened: &mut Vec<Happened>,
) -> Result<()> {
    let id = stored.campaign.id;
    for role in [Role::Audience, Role::Seed, Role::Test] {
        if store.count_rows(id, role).await?.iter().any(|(s, n)| s.is_open() && *n > 0) {
            return Ok(());
        }
    }
    if !stored.campaign.state.runs() {
        store.apply_campaign_act(id, &CampaignAct::Resume, now).await?;
    }
    store.apply_campaign_act(id, &CampaignAct::Finish, now).await?;
    happened.push(Happened::Finished { campaign: stored.campaign.name.clone() });
    Ok(())
}
