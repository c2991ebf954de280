//! Makes the taker of what comes back, and steps its sweeps beside the engine.

use crate::app::{Opened, Registry};
use postroad_feedback::{Feedback, Settings};
use postroad_metrics::Metrics;
use postroad_model::NodeId;
use postroad_store::StoreClock;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often refusals become events and rates are judged.
const LOOK: Duration = Duration::from_secs(5);

/// The taker, as the configuration has it.
pub fn feedback(
    opened: &Opened,
    registry: &Registry,
    metrics: Option<Arc<Metrics>>,
) -> Arc<Feedback> {
    let config = &opened.config;
    let relays = config
        .relays
        .iter()
        .filter_map(|r| Some((*registry.relays.get(&r.name)?, Arc::new(r.clone()))))
        .collect();
    let bounce_domains = config.domains.iter().filter_map(|d| d.bounce_domain.clone()).collect();
    let settings = Settings { policy: config.bounces.clone(), relays, bounce_domains, metrics };
    Arc::new(Feedback::new(opened.store.clone(), settings))
}

/// The task that sweeps; of several nodes one does it at a time.
pub struct Sweeping {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Sweeping {
    pub fn start(feedback: Arc<Feedback>, node: NodeId, clock: Arc<StoreClock>) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(sweep(feedback, node, clock, stop.clone()));
        Self { stop, task }
    }

    /// Ends it between two sweeps.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the sweeps of what comes back ended with a fault");
        }
    }
}

async fn sweep(
    feedback: Arc<Feedback>,
    node: NodeId,
    clock: Arc<StoreClock>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        match feedback.sweep(node, &*clock).await {
            Ok(_) => failing = false,
            Err(error) => {
                // Said once; an outage of the database is in the engine's log as well.
                if !failing {
                    tracing::warn!(%error, "refusals and rates cannot be looked at");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    // What was refused while the engine ended.
    if let Err(error) = feedback.sweep(node, &*clock).await {
        tracing::debug!(%error, "the last refusals become events at the next start");
    }
}
