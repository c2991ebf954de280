//! Seed mailboxes, from configuration to the task that looks into them beside the engine.

use super::credentials::Authorities;
use super::ways::access;
use crate::app::Opened;
use anyhow::Result;
use postroad_config::Config;
use postroad_metrics::Metrics;
use postroad_model::{Clock, NodeId, Timestamp};
use postroad_placement::{Looking, Pace, Placements, SeedBox, run};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long looks may take to end: a server may be slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// The mailboxes of a configuration.
pub fn boxes(config: &Config, clock: &Arc<dyn Clock>) -> Result<Vec<SeedBox>> {
    let mut authorities = Authorities::default();
    let mut all = Vec::new();
    for seed in &config.seeds {
        all.push(SeedBox {
            name: seed.planned.name.clone(),
            provider: seed.planned.provider,
            access: access(&seed.mailbox, &mut authorities, clock)?,
        });
    }
    Ok(all)
}

/// What looks, as the configuration wants it.
pub fn placements(opened: &Opened, metrics: Option<Arc<Metrics>>) -> Placements {
    let settings = &opened.config.placement;
    let pace = Pace {
        missing_after: settings.missing_after,
        revise_until: settings.revise_until,
        at_once: settings.mailboxes_at_once as usize,
        ..Pace::default()
    };
    Placements::new(opened.store.clone(), pace, metrics)
}

/// Makes the mailboxes known to the database.
pub async fn register(opened: &Opened, now: Timestamp) -> Result<()> {
    let seeds = opened.config.seeds.iter();
    let known: Vec<_> = seeds.map(|s| (s.planned.name.clone(), s.planned.provider)).collect();
    Ok(opened.store.register_seed_mailboxes(&known, now).await?)
}

/// The task that looks.
pub struct Placing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Placing {
    /// Cannot fail: what may, [`boxes`] and [`register`], comes before the engine starts.
    pub fn start(
        opened: &Opened,
        boxes: Vec<SeedBox>,
        node: NodeId,
        clock: Arc<dyn Clock>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let placements = Arc::new(placements(opened, metrics));
        let stop = CancellationToken::new();
        let looking = Looking { placements, boxes, node, clock };
        let task = tokio::spawn(run(looking, stop.clone()));
        Self { stop, task }
    }

    /// Ends it; what was not seen is looked for at the next start.
    pub async fn stop(mut self) {
        self.stop.cancel();
        match tokio::time::timeout(PATIENCE, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the looks into seeds ended with a fault"),
            Err(_) => self.task.abort(),
        }
    }
}
