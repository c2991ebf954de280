//! The committer: one task that writes W2 and W3 of all connections in shared commits.
//!
//! Fed by the driver through a bounded channel, calls `Store::write`. A commit starts when the previous one ended,
//! with everything that was asked for meanwhile; there is no timer. What must always hold: only a commit that is
//! known to have happened makes a `Permit`; a settlement is never dropped while the store may take it. While the
//! store is away, outcomes that were read wait here, bounded by the connections, and no permit is made.

use crate::core::Input;
use crate::observe::Observe;
use crate::permit::Permit;
use postroad_model::delivery::DeliveryState;
use postroad_model::{Clock, DeliveryId, Timestamp};
use postroad_store::{Error, Intent, Settlement, Store, WriteAnswer, WriteBatch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// One row's write.
#[derive(Debug)]
pub enum Write {
    /// W2; the permit ends at that time.
    Intend(Intent, Timestamp),
    /// W3.
    Settle(Settlement),
}

/// A commit holds at most this many rows.
const MAX_COMMIT: usize = 1_000;
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Runs until the channel closes and everything is written.
pub async fn run(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    observe: Arc<dyn Observe>,
    mut writes: mpsc::Receiver<Write>,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let mut asked = Vec::with_capacity(MAX_COMMIT);
    while writes.recv_many(&mut asked, MAX_COMMIT).await > 0 {
        let mut batch = WriteBatch::default();
        let mut expires = BTreeMap::new();
        for write in asked.drain(..) {
            match write {
                Write::Intend(intent, expires_at) => {
                    expires.insert(intent.claim.id, (intent.claim.token, expires_at));
                    batch.intents.push(intent);
                }
                Write::Settle(settlement) => batch.settlements.push(settlement),
            }
        }
        let answer = write_all(&store, &*clock, &batch).await;
        for s in &batch.settlements {
            if let Some(state) = answer.moved.get(&s.claim.id) {
                observe.settled(s, *state);
            }
        }
        for intent in &batch.intents {
            let id = intent.claim.id;
            let granted = answer.granted.contains(&id);
            let input = match expires.get(&id).filter(|_| granted) {
                Some((token, at)) => {
                    Input::Granted { permit: Permit::granted(id, *token, *at), id }
                }
                None => Input::Refused { id },
            };
            if inputs.send(input).is_err() {
                return;
            }
        }
    }
}

/// Writes a batch for sure: again as a whole after a conflict or while the store is away, row by row after any
/// other failure.
async fn write_all(store: &Store, clock: &dyn Clock, batch: &WriteBatch) -> WriteAnswer {
    loop {
        match store.write(batch, clock.now()).await {
            Ok(answer) => return answer,
            Err(error) if is_lost_commit(&error) => {
                tracing::warn!(%error, "the answer to a commit is lost: looking it up");
                if let Some(answer) = looked_up(store, batch).await {
                    return answer;
                }
            }
            Err(error) if error.is_conflict() => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the store is away: outcomes wait, nothing new is sent");
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => {
                tracing::error!(%error, rows = batch.intents.len() + batch.settlements.len(), "writing row by row");
                return row_by_row(store, clock, batch).await;
            }
        }
    }
}

fn is_lost_commit(error: &Error) -> bool {
    matches!(error, Error::Statement { what: "commit", .. })
}

/// What a commit with a lost answer did: all of it, or (`None`) nothing. Asks until the store answers.
async fn looked_up(store: &Store, batch: &WriteBatch) -> Option<WriteAnswer> {
    let settled = batch.settlements.iter().map(|s| s.claim.id);
    let ids: Vec<DeliveryId> = batch.intents.iter().map(|i| i.claim.id).chain(settled).collect();
    let rows = loop {
        match store.look_up(&ids).await {
            Ok(rows) => break rows,
            Err(error) => {
                tracing::warn!(%error, "the store is away: cannot look a commit up");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    };
    let mut answer = WriteAnswer::default();
    for intent in &batch.intents {
        let granted = rows.get(&intent.claim.id).is_some_and(|(state, token)| {
            *state == DeliveryState::Sending && *token == intent.claim.token
        });
        if granted {
            answer.granted.insert(intent.claim.id);
        }
    }
    let mut open = 0;
    for s in &batch.settlements {
        match rows.get(&s.claim.id) {
            Some((_, token)) if *token == s.claim.token => open += 1,
            Some((state, _)) => {
                answer.moved.insert(s.claim.id, *state);
            }
            None => {}
        }
    }
    // One transaction: if a settled row still has its token, nothing was committed.
    let nothing = open > 0 || (answer.granted.is_empty() && batch.settlements.is_empty());
    (!nothing).then_some(answer)
}

async fn row_by_row(store: &Store, clock: &dyn Clock, batch: &WriteBatch) -> WriteAnswer {
    let mut all = WriteAnswer::default();
    let settlements = batch.settlements.iter().cloned();
    let singles =
        settlements.map(|s| WriteBatch { settlements: vec![s], intents: Vec::new() }).chain(
            batch
                .intents
                .iter()
                .cloned()
                .map(|i| WriteBatch { settlements: Vec::new(), intents: vec![i] }),
        );
    for single in singles {
        match store.write(&single, clock.now()).await {
            Ok(answer) => {
                all.granted.extend(answer.granted);
                all.moved.extend(answer.moved);
            }
            Err(error) => {
                // The row stays Leased or Sending and is settled when its lane is taken anew: Unknown at worst.
                let row = single.settlements.first().map(|s| s.claim.id);
                tracing::error!(%error, ?row, "a row's outcome could not be written");
            }
        }
    }
    all
}
