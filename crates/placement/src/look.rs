//! One session in one seed mailbox: all copies that are due, in one connection, and what they are now.
//!
//! Called by `run`, by `seed report --look` and by tests. The mailbox's once-only job says which node works; its lease is
//! extended by each write, before each folder and while a server thinks. A copy of a row whose relay's answer was lost proves that the relay took it: that is recorded as
//! evidence like any other (docs/states.md). What must always hold: what was found before a failure is written.

use crate::folders::{Place, places};
use crate::pace::Verdict;
use crate::search::Found;
use crate::{Error, Placements, Result, SeedBox};
use postroad_mailbox::{Imap, Opening, Woken};
use postroad_model::delivery::DeliveryState;
use postroad_model::feedback::Evidence;
use postroad_model::{Clock, DeliveryId, NodeId, Timestamp};
use postroad_store::{
    Authentication, EventKind, JobLease, NewFeedback, SeedCopy, SeedLook, Strength,
};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Copies of one session.
const COPIES_MAX: i64 = 500;
/// A connection is kept for a copy that is looked for again so soon; well within the job's lease.
const KEPT: Duration = Duration::from_secs(30);
/// How often a kept connection looks again.
const ROUNDS: usize = 4;
/// After a failure that may pass.
const AGAIN: Duration = Duration::from_secs(120);
/// After one that a person must mend: operators lock accounts for trying.
pub(crate) const PERSON: Duration = Duration::from_secs(15 * 60);
/// The longest search of a session; with its last command it stays below what `run` allows.
const SEARCHED: Duration = Duration::from_secs(10 * 60);
/// The job's lease is extended so often while a server thinks: well within it.
const HELD: Duration = Duration::from_secs(15);

/// Which copies are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose time has come; without one nobody logs in.
    Due,
    /// The same, but the login is tried in any case.
    Idle,
    /// Every one that was sent and not found: somebody waits for the answer.
    All,
}

/// What a session came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Copies that were looked for.
    pub copies: usize,
    /// Copies that were found.
    pub found: usize,
    /// Why it failed, if it did.
    pub trouble: Option<String>,
}

impl Placements {
    /// Looks into a mailbox now; `None` when another node does.
    ///
    /// # Errors
    /// The database's. What the mailbox's server does is told in [`Looked::trouble`].
    pub async fn look(
        &self,
        seed: &SeedBox,
        which: Which,
        node: NodeId,
        clock: &dyn Clock,
        stop: &CancellationToken,
    ) -> Result<Option<Looked>> {
        let name = format!("seed:{}", seed.name);
        let Some(job) = self.store.take_job(&name, node, clock.now()).await? else {
            return Ok(None);
        };
        let until = Instant::now() + SEARCHED;
        let session = Session { placements: self, seed, which, job: &job, clock, stop, until };
        let ended = CancellationToken::new();
        let working = async {
            let looked = session.run().await;
            ended.cancel();
            looked
        };
        let (looked, ()) = tokio::join!(working, session.hold(&ended));
        if let Err(error) = self.store.release_job(&job, None, clock.now()).await {
            tracing::debug!(%error, name, "the job's lease runs out by itself");
        }
        looked.map(Some)
    }
}

/// What a session works with.
pub(crate) struct Session<'a> {
    pub placements: &'a Placements,
    pub seed: &'a SeedBox,
    pub which: Which,
    pub job: &'a JobLease,
    pub clock: &'a dyn Clock,
    pub stop: &'a CancellationToken,
    /// No further search begins after this.
    pub until: Instant,
}

impl Session<'_> {
    /// Extends the job's lease until `ended`. A job that was lost is found out by the next write.
    async fn hold(&self, ended: &CancellationToken) {
        loop {
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(HELD) => {}
            }
            let held = self.placements.store.extend_job(self.job, self.clock.now()).await;
            if let Err(error) = held {
                tracing::debug!(%error, seed = self.seed.name, "the job could not be held");
            }
        }
    }

    async fn run(&self) -> Result<Looked> {
        let due = self.due(self.which).await?;
        let mut looked = Looked { copies: due.len(), ..Looked::default() };
        if due.is_empty() && self.which != Which::Idle {
            return Ok(looked);
        }
        let opened = self.open().await;
        let (mut imap, places) = match opened {
            Ok(opened) => opened,
            Err(Error::Store(error)) => return Err(error.into()),
            Err(error) => {
                self.failed(&error, &mut looked).await?;
                return Ok(looked);
            }
        };
        let mut due = due;
        for round in 0..ROUNDS {
            let began = self.clock.now();
            let swept = self.sweep(&mut imap, &places, &due, began).await?;
            looked.found += swept.found.len();
            self.write(&due, &swept.found, swept.blind.as_deref(), began).await?;
            if swept.blind.is_some() {
                looked.trouble = swept.blind;
                break;
            }
            if round + 1 == ROUNDS {
                break;
            }
            match self.wait(&mut imap).await? {
                Some(which) => due = self.due(which).await?,
                None => break,
            }
        }
        imap.close().await;
        Ok(looked)
    }

    async fn open(&self) -> Result<(Imap, Vec<Place>)> {
        let access = (self.seed.access)().await.map_err(Error::Access)?;
        let mut imap = Imap::open(&access).await?;
        let folders = imap.folders().await?;
        Ok((imap, places(&folders)))
    }

    /// The copies that are to be looked for.
    async fn due(&self, which: Which) -> Result<Vec<SeedCopy>> {
        let until = match which {
            Which::Due | Which::Idle => self.clock.now(),
            Which::All => Timestamp(i64::MAX),
        };
        self.open_until(until).await
    }

    async fn open_until(&self, until: Timestamp) -> Result<Vec<SeedCopy>> {
        let Placements { store, pace, .. } = self.placements;
        let due = (pace.first(), until);
        Ok(store.open_seed_copies(&self.seed.name, due, COPIES_MAX).await?)
    }

    fn entry(&self, copy: &SeedCopy, verdict: Verdict, trouble: Option<String>) -> SeedLook {
        SeedLook {
            delivery: copy.delivery,
            placement: verdict.placement,
            folder: None,
            tab: None,
            // An unknown row may go again.
            accepted_at: copy.accepted_at.filter(|_| copy.state == DeliveryState::Accepted),
            arrived_at: None,
            authentication: Authentication::default(),
            next_look_at: verdict.next,
            trouble,
        }
    }

    /// Nobody could look. Copies that are due before the next try wait for it too.
    async fn failed(&self, error: &Error, looked: &mut Looked) -> Result<()> {
        if error.is_login()
            && let Some(metrics) = &self.placements.metrics
        {
            metrics.seed_login_failed(self.seed.provider);
        }
        let again = if error.needs_a_person() { PERSON } else { AGAIN };
        let now = self.clock.now();
        let text = error.to_string();
        let due = self.open_until(now.plus(again)).await?;
        let looks: Vec<SeedLook> =
            due.iter().map(|copy| self.unanswered(copy, again, &text, now)).collect();
        looked.trouble = Some(text.clone());
        tracing::warn!(seed = self.seed.name, error = text, "a seed mailbox cannot be looked into");
        let store = &self.placements.store;
        store.record_seed_looks(self.job, &self.seed.name, &looks, Some(&text), now).await?;
        Ok(())
    }

    fn unanswered(&self, copy: &SeedCopy, again: Duration, why: &str, now: Timestamp) -> SeedLook {
        let accepted = accepted(copy).unwrap_or(now);
        let verdict = self.placements.pace.failed(copy.placement, accepted, again, now);
        self.entry(copy, verdict, Some(why.to_owned()))
    }

    /// Writes what was found in a folder.
    pub(crate) async fn keep_found(
        &self,
        copies: impl Iterator<Item = &SeedCopy>,
        found: &HashMap<DeliveryId, Found>,
    ) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut looks = Vec::with_capacity(found.len());
        for copy in copies {
            if let Some(found) = found.get(&copy.delivery) {
                looks.push(self.found(copy, found, now).await?);
            }
        }
        Ok(self.placements.store.keep_seed_looks(self.job, &looks, now).await?)
    }

    /// Writes what is to be said of those that were not found, and how the mailbox does.
    async fn write(
        &self,
        due: &[SeedCopy],
        found: &HashMap<DeliveryId, Found>,
        blind: Option<&str>,
        began: Timestamp,
    ) -> Result<()> {
        let now = self.clock.now();
        let open = due.iter().filter(|copy| !found.contains_key(&copy.delivery));
        let looks: Vec<SeedLook> = open
            .map(|copy| match blind {
                Some(why) => self.unanswered(copy, AGAIN, why, now),
                None => {
                    let accepted = accepted(copy).unwrap_or(now);
                    let verdict =
                        self.placements.pace.not_found(accepted, copy.looks, (began, now));
                    self.entry(copy, verdict, None)
                }
            })
            .collect();
        let store = &self.placements.store;
        Ok(store.record_seed_looks(self.job, &self.seed.name, &looks, blind, now).await?)
    }

    async fn found(&self, copy: &SeedCopy, found: &Found, now: Timestamp) -> Result<SeedLook> {
        let accepted = accepted(copy);
        let arrived = found.received.arrived_at.or(found.internal_date);
        if let (Some(metrics), Some(from), Some(to)) = (&self.placements.metrics, accepted, arrived)
        {
            metrics.seed_arrived(self.seed.provider, from.until(to));
        }
        if copy.state == DeliveryState::Unknown {
            self.proves(copy, now).await?;
        }
        let received = &found.received;
        Ok(SeedLook {
            delivery: copy.delivery,
            placement: found.placement,
            folder: Some(found.folder.clone()),
            tab: found.tab.clone(),
            accepted_at: accepted,
            arrived_at: arrived,
            authentication: Authentication {
                spf: received.spf,
                dkim: received.dkim,
                dmarc: received.dmarc,
            },
            next_look_at: None,
            trouble: None,
        })
    }

    /// A copy of an unknown row arrived, so its relay had taken it.
    async fn proves(&self, copy: &SeedCopy, now: Timestamp) -> Result<()> {
        let store = &self.placements.store;
        let Some(row) = store.sent_row(copy.delivery).await? else { return Ok(()) };
        let new = NewFeedback {
            key: format!("seed:{}.{}", row.id, row.copy_no),
            at: now,
            kind: EventKind::Delivered,
            evidence: Evidence::Arrived,
            verdict: None,
            strength: Strength::Strong,
            said: (None, None, None),
            data: serde_json::json!({ "source": "the seed's mailbox", "seed": self.seed.name })
                .to_string(),
            suppress: None,
            full: None,
            row,
        };
        store.record_feedback(&new, now).await?;
        Ok(())
    }

    /// Waits for news where a copy is looked for again soon, and says what to look for then; `None`: the session ends.
    async fn wait(&self, imap: &mut Imap) -> Result<Option<Which>> {
        let now = self.clock.now();
        let open = self.open_until(now.plus(KEPT)).await?;
        let soon = open.iter().filter(|c| c.looks > 0).filter_map(|c| c.next_look_at).min();
        let Some(wait) = soon.map(|t| now.until(t)).filter(|w| *w <= KEPT) else {
            return Ok(None);
        };
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        let waited = async {
            imap.select("INBOX", Opening::ReadOnly).await?;
            imap.wait(wait, self.stop.cancelled()).await
        };
        match waited.await {
            Ok(_) if self.stop.is_cancelled() => Ok(None),
            Ok(Woken::Changed) => Ok(Some(Which::All)),
            Ok(Woken::Time) => Ok(Some(Which::Due)),
            // What was seen is written; the next session begins anew.
            Err(error) => {
                tracing::debug!(%error, seed = self.seed.name, "a kept connection ended");
                Ok(None)
            }
        }
    }
}

/// When a relay took it, or may have.
pub(crate) fn accepted(copy: &SeedCopy) -> Option<Timestamp> {
    copy.accepted_at.or(copy.released_at)
}
