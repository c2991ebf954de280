//! Writes of the engine that no connection waits for: the ledger's books, pauses, brakes, looks at campaigns.
//!
//! One task, so that acts on one scope keep their order. What cannot be written is tried again while the store is
//! away: a release that is lost costs quota, a mark of a full limit that is lost would cost a promise.

use crate::core::Input;
use postroad_model::{CampaignId, Clock, RelayId};
use postroad_store::{Brake, LanePause, LedgerAct, Result, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// One thing to do.
#[derive(Debug)]
pub enum Chore {
    /// Change a scope's books.
    Ledger(String, LedgerAct),
    /// Pause a lane durably.
    Pause(RelayId, LanePause),
    /// Set a brake.
    Brake(Brake),
    /// Find out whether a campaign runs.
    Campaign(CampaignId),
}

/// Runs until the channel closes and everything is done.
pub async fn run(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    mut chores: mpsc::UnboundedReceiver<Chore>,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let mut asked = Vec::new();
    while chores.recv_many(&mut asked, 1_000).await > 0 {
        let mut books: BTreeMap<String, Vec<LedgerAct>> = BTreeMap::new();
        for chore in asked.drain(..) {
            match chore {
                Chore::Ledger(scope, act) => books.entry(scope).or_default().push(act),
                Chore::Pause(relay, pause) => {
                    insist(|| store.pause_lane(relay, &pause)).await;
                }
                Chore::Brake(brake) => {
                    insist(|| store.set_brake(&brake, clock.now())).await;
                }
                Chore::Campaign(campaign) => {
                    let runs = insist(|| store.campaign_runs(campaign, clock.now())).await;
                    if runs == Some(false) && inputs.send(Input::Stopped { campaign }).is_err() {
                        return;
                    }
                }
            }
        }
        for (scope, acts) in books {
            let marks = acts.iter().any(|a| matches!(a, LedgerAct::MarkFull { .. }));
            let full = insist(|| store.adjust_ledger(&scope, &acts, clock.now())).await;
            if marks {
                let until = full.flatten();
                if inputs.send(Input::MarkedFull { scope, until }).is_err() {
                    return;
                }
            }
        }
    }
}

/// Repeats a call while the store is away; gives up with a log line on any other error.
async fn insist<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> Option<T> {
    loop {
        match call().await {
            Ok(value) => return Some(value),
            Err(error) if error.is_transient() || error.is_conflict() => {
                tracing::warn!(%error, "the store is away: trying again");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err(error) => {
                tracing::error!(%error, "a chore could not be written");
                return None;
            }
        }
    }
}
