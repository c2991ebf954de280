//! One session in one seed mailbox: all copies that are due, in one connection, and what they are now.
//!
//! Called by `run`, by `seed report --look` and by tests. The mailbox's once-only job says which node works; its lease is
//! extended by each write. A copy of a row whose relay's answer was lost proves that the relay took it: that is recorded as
//! evidence like any other (docs/states.md). What must always hold: what was found before a failure is written.

use crate::folders::{Place, places};
use crate::pace::Verdict;
use crate::search::{Found, Search, Searched, Wanted};
use crate::{Error, Placements, Result, SeedBox};
use postroad_mailbox::{Error as MailError, Imap, Opening, Woken};
use postroad_model::delivery::DeliveryState;
use postroad_model::feedback::Evidence;
use postroad_model::placement::Placement;
use postroad_model::{Clock, NodeId, Timestamp};
use postroad_store::{
    Authentication, EventKind, JobLease, NewFeedback, SeedCopy, SeedLook, Strength,
};
use std::time::Duration;
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
const PERSON: Duration = Duration::from_secs(15 * 60);

/// Which copies are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose time has come.
    Due,
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
        let session = Session { placements: self, seed, which, job: &job, clock, stop };
        let looked = session.run().await;
        if let Err(error) = self.store.release_job(&job, None, clock.now()).await {
            tracing::debug!(%error, name, "the job's lease runs out by itself");
        }
        looked.map(Some)
    }
}

struct Session<'a> {
    placements: &'a Placements,
    seed: &'a SeedBox,
    which: Which,
    job: &'a JobLease,
    clock: &'a dyn Clock,
    stop: &'a CancellationToken,
}

impl Session<'_> {
    async fn run(&self) -> Result<Looked> {
        let due = self.due(self.which).await?;
        let mut looked = Looked { copies: due.len(), ..Looked::default() };
        let opened = self.open().await;
        let (mut imap, places) = match opened {
            Ok(opened) => opened,
            Err(Error::Store(error)) => return Err(error.into()),
            Err(error) => {
                self.failed(&due, &error, &mut looked).await?;
                return Ok(looked);
            }
        };
        let mut due = due;
        for round in 0..ROUNDS {
            let (searched, broken) = self.search(&mut imap, &places, &due).await;
            let blind = broken.or(searched.blind);
            looked.found += searched.found.len();
            self.write(&due, &searched.found, blind.as_ref()).await?;
            if let Some(error) = blind {
                looked.trouble = Some(error.to_string());
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

    async fn search(
        &self,
        imap: &mut Imap,
        places: &[Place],
        due: &[SeedCopy],
    ) -> (Searched, Option<MailError>) {
        let wanted: Vec<Wanted<'_>> = due
            .iter()
            .map(|copy| Wanted { copy, since: accepted(copy).unwrap_or_else(|| self.clock.now()) })
            .collect();
        let keys = self.placements.store.keys();
        Search { imap, keys, places }.all(&wanted).await
    }

    /// The copies that are due; those that no relay took and none will are closed on the way.
    async fn due(&self, which: Which) -> Result<Vec<SeedCopy>> {
        let now = self.clock.now();
        let store = &self.placements.store;
        let open = store.open_seed_copies(&self.seed.name, COPIES_MAX).await?;
        let (mut due, mut over) = (Vec::new(), Vec::new());
        for copy in open {
            match copy.state {
                DeliveryState::Scheduled | DeliveryState::Leased | DeliveryState::Sending => {}
                DeliveryState::Accepted | DeliveryState::Unknown => {
                    let first = accepted(&copy).map(|t| t.plus(self.placements.pace.first()));
                    let in_time = copy.next_look_at.or(first).is_none_or(|t| t <= now);
                    if in_time || which == Which::All {
                        due.push(copy);
                    }
                }
                DeliveryState::Rejected
                | DeliveryState::Suppressed
                | DeliveryState::Expired
                | DeliveryState::Cancelled
                | DeliveryState::Failed
                | DeliveryState::Bounced => {
                    let verdict = Verdict { placement: Placement::Pending, next: None };
                    over.push(self.entry(&copy, verdict, None));
                }
            }
        }
        if !over.is_empty() {
            store.close_seed_copies(self.job, &over, now).await?;
        }
        Ok(due)
    }

    fn entry(&self, copy: &SeedCopy, verdict: Verdict, trouble: Option<String>) -> SeedLook {
        SeedLook {
            delivery: copy.delivery,
            placement: verdict.placement,
            folder: None,
            tab: None,
            accepted_at: copy.accepted_at,
            arrived_at: None,
            authentication: Authentication::default(),
            next_look_at: verdict.next,
            trouble,
        }
    }

    /// Nobody could look.
    async fn failed(&self, due: &[SeedCopy], error: &Error, looked: &mut Looked) -> Result<()> {
        if error.is_login()
            && let Some(metrics) = &self.placements.metrics
        {
            metrics.seed_login_failed(self.seed.provider);
        }
        let again = if error.needs_a_person() { PERSON } else { AGAIN };
        let now = self.clock.now();
        let text = error.to_string();
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

    async fn write(
        &self,
        due: &[SeedCopy],
        found: &std::collections::HashMap<postroad_model::DeliveryId, Found>,
        blind: Option<&MailError>,
    ) -> Result<()> {
        let now = self.clock.now();
        let why = blind.map(ToString::to_string);
        let mut looks = Vec::with_capacity(due.len());
        for copy in due {
            looks.push(match (found.get(&copy.delivery), &why) {
                (Some(found), _) => self.found(copy, found, now).await?,
                (None, Some(why)) => self.unanswered(copy, AGAIN, why, now),
                (None, None) => {
                    let accepted = accepted(copy).unwrap_or(now);
                    let verdict = self.placements.pace.not_found(accepted, copy.looks, now);
                    self.entry(copy, verdict, None)
                }
            });
        }
        let store = &self.placements.store;
        let why = why.as_deref();
        Ok(store.record_seed_looks(self.job, &self.seed.name, &looks, why, now).await?)
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
        let store = &self.placements.store;
        let open = store.open_seed_copies(&self.seed.name, COPIES_MAX).await?;
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
fn accepted(copy: &SeedCopy) -> Option<Timestamp> {
    copy.accepted_at.or(copy.released_at)
}
