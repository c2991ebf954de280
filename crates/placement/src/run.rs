//! The service: finds out which mailboxes are due and looks into them, some at once.
//!
//! A task of every node beside the engine; the once-only job of each mailbox says which node works on it. Mailboxes without
//! copies to look for are logged into now and then, so that a login that broke is known before the next campaign. What must
//! always hold: no more mailboxes are open at once than the pace allows; what one mailbox does touches no other.

use crate::look::PERSON;
use crate::{Looked, Placements, Result, SeedBox, Which};
use postroad_model::{Clock, NodeId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;

/// How often the store is asked what is due.
const TICK: Duration = Duration::from_secs(2);
/// How often this node names its mailboxes, and closes copies that nobody can find any more.
const STRAYS: Duration = Duration::from_secs(60);
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

/// What a session ends with.
type Ended = std::result::Result<Result<Option<Looked>>, Elapsed>;

/// Looks into mailboxes until `stop`.
pub async fn run(looking: Looking, stop: CancellationToken) {
    let mut busy: HashMap<Id, String> = HashMap::new();
    let mut sessions: JoinSet<Ended> = JoinSet::new();
    let mut failing = false;
    let mut strays_at: Option<Timestamp> = None;
    loop {
        let now = looking.clock.now();
        if strays_at.is_none_or(|at| at.plus(STRAYS) <= now) {
            strays_at = Some(now);
            looking.strays(now).await;
        }
        match looking.due(now).await {
            Ok(due) => {
                failing = false;
                let free = looking.placements.pace.at_once.saturating_sub(busy.len());
                let idle = |(b, _): &(SeedBox, Which)| !busy.values().any(|name| *name == b.name);
                let idle: Vec<(SeedBox, Which)> = due.into_iter().filter(idle).take(free).collect();
                for (seed, which) in idle {
                    let name = seed.name.clone();
                    let session = session(looking.clone(), (seed, which), stop.clone());
                    busy.insert(sessions.spawn(session).id(), name);
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
            Some(ended) = sessions.join_next_with_id() => tell(ended, &mut busy),
        }
    }
    while let Some(ended) = sessions.join_next_with_id().await {
        tell(ended, &mut busy);
    }
}

async fn session(
    looking: Looking,
    (seed, which): (SeedBox, Which),
    stop: CancellationToken,
) -> Ended {
    let Looking { placements, node, clock, .. } = looking;
    let look = placements.look(&seed, which, node, &*clock, &stop);
    tokio::time::timeout(LONGEST, look).await
}

/// A session that fell over ends alone: its mailbox is looked into again when its job's lease has run out.
fn tell(ended: std::result::Result<(Id, Ended), JoinError>, busy: &mut HashMap<Id, String>) {
    match ended {
        Ok((id, ended)) => {
            let seed = busy.remove(&id).unwrap_or_default();
            match ended {
                Ok(Ok(Some(looked))) => tracing::debug!(seed, ?looked, "looked into"),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!(seed, %error, "a look was not recorded"),
                Err(_) => tracing::warn!(seed, "a look took too long and was ended"),
            }
        }
        Err(error) => {
            let seed = busy.remove(&error.id()).unwrap_or_default();
            tracing::error!(seed, %error, "a look ended with a fault");
        }
    }
}

impl Looking {
    /// Of campaigns that were cancelled or expired, and of mailboxes that no node has any more: first this one names its own.
    async fn strays(&self, now: Timestamp) {
        let store = &self.placements.store;
        let own: Vec<_> = self.boxes.iter().map(|b| (b.name.clone(), b.provider)).collect();
        if let Err(error) = store.register_seed_mailboxes(&own, now).await {
            tracing::debug!(%error, "seed mailboxes are named next time");
            return;
        }
        match store.close_stray_seed_copies(now).await {
            Ok(0) => {}
            Ok(n) => tracing::info!(copies = n, "seed copies that nobody can find were closed"),
            Err(error) => tracing::debug!(%error, "seed copies are closed next time"),
        }
    }

    /// The mailboxes that are to be looked into now: those with copies that are due first.
    async fn due(&self, now: Timestamp) -> Result<Vec<(SeedBox, Which)>> {
        if self.boxes.is_empty() {
            return Ok(Vec::new());
        }
        let pace = &self.placements.pace;
        let store = &self.placements.store;
        let names = store.due_seed_mailboxes(pace.first(), PERSON, now).await?;
        let wanted = self.boxes.iter().filter(|b| names.contains(&b.name)).cloned();
        let mut due: Vec<(SeedBox, Which)> = wanted.map(|b| (b, Which::Due)).collect();
        for row in store.seed_mailboxes().await? {
            let last = row.looked_at.max(row.failed_at);
            let stale = last.is_none_or(|at| at.plus(pace.idle) <= now);
            if stale
                && !names.contains(&row.name)
                && let Some(seed) = self.boxes.iter().find(|b| b.name == row.name)
            {
                due.push((seed.clone(), Which::Idle));
            }
        }
        Ok(due)
    }
}
