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
use postroad_model::{Clock, DeliveryId, LeaseToken, Timestamp};
use postroad_store::{Error, Intent, Settlement, Store, WriteAnswer, WriteBatch};
use std::collections::{BTreeSet, HashMap, VecDeque};
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

impl Write {
    fn id(&self) -> DeliveryId {
        match self {
            Self::Intend(intent, _) => intent.claim.id,
            Self::Settle(settlement) => settlement.claim.id,
        }
    }
}

/// A commit holds at most this many rows.
const MAX_COMMIT: usize = 1_000;
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// What one transaction writes.
pub struct Commit {
    batch: WriteBatch,
    expires: HashMap<DeliveryId, (LeaseToken, Timestamp)>,
}

/// What a commit that is known to have happened tells.
#[derive(Debug, Default)]
pub struct Committed {
    /// For the core: a permit or a refusal for each intent.
    pub inputs: Vec<Input>,
    /// The settlements that moved their row, with the state that it has now.
    pub settled: Vec<(Settlement, DeliveryState)>,
}

impl Commit {
    /// Takes the writes that go into the next commit off the front. A row comes only once in a commit: the answer
    /// names rows, and two attempts of one row must not share it.
    #[must_use]
    pub fn next(asked: &mut VecDeque<Write>) -> Self {
        let mut commit = Self { batch: WriteBatch::default(), expires: HashMap::new() };
        let mut rows = BTreeSet::new();
        while rows.len() < MAX_COMMIT
            && let Some(write) = asked.pop_front()
        {
            if !rows.insert(write.id()) {
                asked.push_front(write);
                break;
            }
            match write {
                Write::Intend(intent, expires_at) => {
                    commit.expires.insert(intent.claim.id, (intent.claim.token, expires_at));
                    commit.batch.intents.push(intent);
                }
                Write::Settle(settlement) => commit.batch.settlements.push(settlement),
            }
        }
        commit
    }

    /// One transaction.
    ///
    /// # Errors
    /// The store's. After an error of the commit itself ask [`Self::look_up`] first.
    pub async fn write(&self, store: &Store, now: Timestamp) -> Result<Committed, Error> {
        store.write(&self.batch, now).await.map(|answer| self.committed(&answer))
    }

    /// What a commit whose answer is lost did: all of it, or (`None`) nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_up(&self, store: &Store) -> Result<Option<Committed>, Error> {
        let settled = self.batch.settlements.iter().map(|s| s.claim.id);
        let ids: Vec<DeliveryId> =
            self.batch.intents.iter().map(|i| i.claim.id).chain(settled).collect();
        let rows = store.look_up(&ids).await?;
        let mut answer = WriteAnswer::default();
        for intent in &self.batch.intents {
            let granted = rows.get(&intent.claim.id).is_some_and(|(state, token)| {
                *state == DeliveryState::Sending && *token == intent.claim.token
            });
            if granted {
                answer.granted.insert(intent.claim.id);
            }
        }
        let mut open = 0;
        for s in &self.batch.settlements {
            match rows.get(&s.claim.id) {
                Some((_, token)) if *token == s.claim.token => open += 1,
                Some((state, _)) => {
                    answer.moved.insert(s.claim.id, *state);
                }
                None => {}
            }
        }
        // One transaction: if a settled row still has its token, nothing was committed.
        let nothing = open > 0 || (answer.granted.is_empty() && self.batch.settlements.is_empty());
        Ok((!nothing).then(|| self.committed(&answer)))
    }

    fn committed(&self, answer: &WriteAnswer) -> Committed {
        let permit = |id| self.expires.get(&id).filter(|_| answer.granted.contains(&id));
        let input = |intent: &Intent| {
            let (id, token) = (intent.claim.id, intent.claim.token);
            match permit(id) {
                Some((token, at)) => {
                    Input::Granted { permit: Permit::granted(id, *token, *at), id }
                }
                None => Input::Refused { id, token },
            }
        };
        let settled = |s: &Settlement| Some((s.clone(), *answer.moved.get(&s.claim.id)?));
        Committed {
            inputs: self.batch.intents.iter().map(input).collect(),
            settled: self.batch.settlements.iter().filter_map(settled).collect(),
        }
    }

    /// Each write as a commit of its own.
    fn row_by_row(&self) -> impl Iterator<Item = Self> + '_ {
        let settle = |s: &Settlement| Write::Settle(s.clone());
        let settlements = self.batch.settlements.iter().map(settle);
        let intents = self.batch.intents.iter().map(|i| {
            let expires_at = self.expires.get(&i.claim.id).map_or(Timestamp(0), |(_, at)| *at);
            Write::Intend(i.clone(), expires_at)
        });
        settlements.chain(intents).map(|write| Self::next(&mut VecDeque::from([write])))
    }

    /// The first row, for the log.
    fn row(&self) -> Option<DeliveryId> {
        let settled = self.batch.settlements.iter().map(|s| s.claim.id);
        self.batch.intents.iter().map(|i| i.claim.id).chain(settled).next()
    }

    fn rows(&self) -> usize {
        self.batch.intents.len() + self.batch.settlements.len()
    }
}

/// Runs until the channel closes and everything is written.
pub(crate) async fn run(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    observe: Arc<dyn Observe>,
    mut writes: mpsc::Receiver<Write>,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let mut asked = VecDeque::with_capacity(MAX_COMMIT);
    let mut came = Vec::with_capacity(MAX_COMMIT);
    loop {
        if asked.is_empty() && writes.recv_many(&mut came, MAX_COMMIT).await == 0 {
            return;
        }
        while came.len() + asked.len() < MAX_COMMIT
            && let Ok(write) = writes.try_recv()
        {
            came.push(write);
        }
        asked.extend(came.drain(..));
        let commit = Commit::next(&mut asked);
        let committed = write_for_sure(&store, &*clock, &commit).await;
        for (settlement, state) in &committed.settled {
            observe.settled(settlement, *state);
        }
        for input in committed.inputs {
            if inputs.send(input).is_err() {
                return;
            }
        }
    }
}

/// Writes a commit for sure; row by row when the store refuses it as a whole, so that one bad row costs no other.
async fn write_for_sure(store: &Store, clock: &dyn Clock, commit: &Commit) -> Committed {
    match write_or_refused(store, clock, commit).await {
        Ok(committed) => committed,
        Err(error) => {
            tracing::error!(%error, rows = commit.rows(), "writing row by row");
            row_by_row(store, clock, commit).await
        }
    }
}

/// Writes a commit, again after a conflict and while the store is away.
///
/// # Errors
/// What the store refuses for good; nothing of the commit is written then.
async fn write_or_refused(
    store: &Store,
    clock: &dyn Clock,
    commit: &Commit,
) -> Result<Committed, Error> {
    loop {
        let error = match commit.write(store, clock.now()).await {
            Ok(committed) => return Ok(committed),
            Err(error) => error,
        };
        if error.may_have_happened() {
            tracing::warn!(%error, "the answer to a commit is lost: looking it up");
            if let Some(committed) = looked_up(store, commit).await {
                return Ok(committed);
            }
        }
        if error.is_conflict() {
            continue;
        }
        if !error.is_transient() {
            return Err(error);
        }
        tracing::warn!(%error, "the store is away: outcomes wait, nothing new is sent");
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

/// Asks until the store answers.
async fn looked_up(store: &Store, commit: &Commit) -> Option<Committed> {
    loop {
        match commit.look_up(store).await {
            Ok(found) => return found,
            Err(error) => {
                tracing::warn!(%error, "the store is away: cannot look a commit up");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn row_by_row(store: &Store, clock: &dyn Clock, commit: &Commit) -> Committed {
    let mut all = Committed::default();
    for single in commit.row_by_row() {
        match write_or_refused(store, clock, &single).await {
            Ok(committed) => {
                all.inputs.extend(committed.inputs);
                all.settled.extend(committed.settled);
            }
            Err(error) => {
                // The row stays Leased or Sending and is settled when its lane is taken anew: Unknown at worst.
                let row = single.row();
                tracing::error!(%error, ?row, "a row's outcome could not be written");
                all.inputs.extend(single.committed(&WriteAnswer::default()).inputs);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests;
