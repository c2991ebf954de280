//! The service: finds out which mailboxes are due and looks into them, some at once.
//!
//! A task of every node beside the engine; the once-only job of each mailbox says which node works on it. Mailboxes without
//! copies to look for are logged into now and then, so that a login that broke is known before the next campaign. What must
//! always hold: no more mailboxes are open at once than the pace allows; what one mailbox does touches no other.

use crate::{Error, Looked, Placements, Result, SeedBox};
use postroad_model::{Clock, NodeId, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the store is asked what is due.
const TICK: Duration = Duration::from_secs(2);
/// A session that hangs in spite of its own bounds is ended.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Who looks, and by which clock.
#[derive(Clone)]
pub struct Looking {
    /// What looks.
    pub placements: Arc<Placements>,
    /// The mailboxes of the configuration.
    pub boxes: Vec<SeedBox>,
    /// This node.
    pub node: NodeId,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Looks into mailboxes until `stop`.
pub async fn run(looking: Looking, stop: CancellationToken) {
    let mut busy: BTreeSet<String> = BTreeSet::new();
    let mut sessions: JoinSet<(String, Result<Option<Looked>>)> = JoinSet::new();
    let mut failing = false;
    loop {
        match looking.due(looking.clock.now()).await {
            Ok(due) => {
                failing = false;
                let free = looking.placements.pace.at_once.saturating_sub(busy.len());
                let idle: Vec<SeedBox> =
                    due.into_iter().filter(|b| !busy.contains(&b.name)).take(free).collect();
                for seed in idle {
                    busy.insert(seed.name.clone());
                    sessions.spawn(session(looking.clone(), seed, stop.clone()));
                }
            }
            Err(error) => {
                // Said once; an outage of the database is in the engine's log as well.
                if !failing {
                    tracing::warn!(%error, "nobody knows which seed mailboxes are due");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(TICK) => {}
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => tell(ended, &mut busy),
        }
    }
    while let Some(ended) = sessions.join_next().await {
        tell(ended, &mut busy);
    }
}

async fn session(
    looking: Looking,
    seed: SeedBox,
    stop: CancellationToken,
) -> (String, Result<Option<Looked>>) {
    let work = async {
        // A task of its own, so that a fall inside ends this session alone.
        let (inner, held, halt) = (looking.clone(), seed.clone(), stop.clone());
        let look =
            async move { inner.placements.look(&held, inner.node, &*inner.clock, &halt).await };
        tokio::spawn(look).await.unwrap_or(Err(Error::Fell))
    };
    let looked = tokio::time::timeout(LONGEST, work).await.unwrap_or(Err(Error::Fell));
    (seed.name, looked)
}

fn tell(
    ended: std::result::Result<(String, Result<Option<Looked>>), tokio::task::JoinError>,
    busy: &mut BTreeSet<String>,
) {
    match ended {
        Ok((name, looked)) => {
            busy.remove(&name);
            match looked {
                Ok(Some(looked)) => tracing::debug!(seed = name, ?looked, "looked into"),
                Ok(None) => {}
                Err(error) => tracing::warn!(seed = name, %error, "a look was not recorded"),
            }
        }
        Err(error) => tracing::error!(%error, "a look ended with a fault"),
    }
}

impl Looking {
    /// The mailboxes that are to be looked into now: those with copies that are due first.
    async fn due(&self, now: Timestamp) -> Result<Vec<SeedBox>> {
        if self.boxes.is_empty() {
            return Ok(Vec::new());
        }
        let pace = &self.placements.pace;
        let store = &self.placements.store;
        let names = store.due_seed_mailboxes(pace.first(), now).await?;
        let mut due: Vec<SeedBox> =
            self.boxes.iter().filter(|b| names.contains(&b.name)).cloned().collect();
        for row in store.seed_mailboxes().await? {
            let last = row.looked_at.max(row.failed_at);
            let stale = last.is_none_or(|at| at.plus(pace.idle) <= now);
            if stale
                && !names.contains(&row.name)
                && let Some(seed) = self.boxes.iter().find(|b| b.name == row.name)
            {
                due.push(seed.clone());
            }
        }
        Ok(due)
    }
}
