//! Steps the campaigns' supervisor beside the engine: starts, misses, windows, expiry, finishing.

use crate::app::Opened;
use postroad_campaign::{Happened, Setup, Supervisor};
use postroad_delivery::Engine;
use postroad_model::{CampaignId, Clock, NodeId};
use postroad_store::{Store, StoreClock};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Campaigns are looked at no less often, so that an operator's act is seen soon.
const LOOK: Duration = Duration::from_millis(500);

/// The task that steps the supervisor.
pub struct Supervision {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

struct Task {
    supervisor: Supervisor,
    store: Arc<Store>,
    setup: Setup,
    clock: Arc<StoreClock>,
    engine: Weak<Engine>,
}

impl Supervision {
    pub fn start(
        opened: &Opened,
        node: NodeId,
        only: Option<CampaignId>,
        clock: Arc<StoreClock>,
        engine: &Arc<Engine>,
    ) -> Self {
        let stop = CancellationToken::new();
        let task = Task {
            supervisor: Supervisor::new(node, only),
            store: opened.store.clone(),
            setup: opened.setup.clone(),
            clock,
            engine: Arc::downgrade(engine),
        };
        let task = tokio::spawn(task.run(stop.clone()));
        Self { stop, task }
    }

    /// Ends it between two steps.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the supervisor ended with a fault");
        }
    }
}

impl Task {
    async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        loop {
            let clock = self.clock.clone();
            let now = move || clock.now();
            let wait = match self.supervisor.step(&self.store, &self.setup, &now).await {
                Ok((happened, wake)) => {
                    failing = false;
                    happened.iter().for_each(|h| self.tell(h));
                    self.clock.now().until(wake).min(LOOK).max(Duration::from_millis(20))
                }
                Err(error) => {
                    // Said once; an outage of the database is in the engine's log as well.
                    if !failing {
                        tracing::warn!(%error, "campaigns cannot be looked after");
                    }
                    failing = true;
                    LOOK
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn tell(&self, happened: &Happened) {
        match happened {
            Happened::Started { campaign, audience } => {
                tracing::info!(campaign, audience, "started");
            }
            Happened::Missed { campaign } => tracing::warn!(campaign, "missed its latest start"),
            Happened::Ended { campaign, rows } => tracing::info!(campaign, rows, "rows ended"),
            Happened::Resent { campaign, rows } => {
                tracing::info!(campaign, rows, "unknown rows wait again");
            }
            Happened::CanaryPassed { campaign, why } => {
                tracing::info!(campaign, why, "the canary passed, the rest goes");
            }
            Happened::CanaryWarned { campaign, why } => tracing::warn!(campaign, why, "canary"),
            Happened::CanaryHeld { campaign, why } => {
                tracing::warn!(
                    campaign,
                    why,
                    "held by its canary; `campaign resume --anyway` goes on"
                );
            }
            Happened::Braked { campaign, relay, provider, why } => {
                tracing::warn!(campaign, relay, %provider, why, "the relay rests for a provider");
            }
            Happened::Finished { campaign } => tracing::info!(campaign, "finished"),
            Happened::Failed { campaign, error } => {
                tracing::error!(campaign, error, "not looked after");
            }
        }
        if let Some(engine) = self.engine.upgrade() {
            engine.nudge();
        }
    }
}
