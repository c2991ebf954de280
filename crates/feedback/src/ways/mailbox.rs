//! The watcher of one mailbox: each new message once, recorded, then left, moved or deleted.
//!
//! A task of `serve` on every node; the lease of the job `mailbox:NAME` says which one works. IMAP waits with IDLE
//! (RFC 2177), POP3 looks again after a while (RFC 1939). What must always hold: a message is recorded before it is moved
//! or deleted, and before the position passes it, and only what came is passed; so a kill at any point repeats some
//! messages at most, and what is repeated is known by [`crate::Feedback`]. A login that was refused is not tried again
//! for a long time: operators lock accounts for that.

use crate::{Feedback, Incoming, Source};
use postroad_bounce::MAX_READ;
use postroad_mailbox::{
    Access, Error as MailError, Extent, Imap, Message, OpenAccess, Opening, Pop3, Position, Query,
    Woken,
};
use postroad_model::{Clock, NodeId};
use postroad_store::JobLease;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The job's lease is extended this often: well within its length.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a node that does not work looks whether it may.
const LOOK: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// After a refused login.
const PERSON_PAUSE: Duration = Duration::from_secs(15 * 60);
/// POP3 messages between two notes of what was seen.
const NOTED_EVERY: usize = 100;
/// POP3 locks the mailbox while it is open, so a session takes no more than these.
const POP3_MESSAGES: usize = 500;

/// How a mailbox is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailProtocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
}

/// What becomes of a message once it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It stays where it is, as unread as it was.
    Leave,
    /// It goes into another folder (IMAP).
    Move(String),
    /// It is deleted (POP3).
    Delete,
}

/// One mailbox of the configuration.
#[derive(Clone)]
pub struct Watch {
    /// Its name.
    pub name: String,
    /// How it is read.
    pub protocol: MailProtocol,
    /// How it is opened.
    pub access: OpenAccess,
    /// Which folder (IMAP).
    pub folder: String,
    /// What becomes of mail that was for us: bounces, complaints, automatic answers, unsubscribes.
    pub bounces: After,
    /// What becomes of all other mail.
    pub others: After,
    /// How long one waits between two looks, where the server does not tell of news itself.
    pub poll: Duration,
    /// How far back a folder is read that was never read.
    pub look_back: Duration,
    /// As much of a message is read.
    pub octets_max: usize,
}

/// What a watcher tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// It holds the job and has logged in.
    Open,
    /// It has looked at all there was.
    Idle,
    /// A message was recorded.
    Taken {
        /// How many reports it held; none for ordinary mail.
        reports: usize,
    },
    /// It failed and will try again.
    Failed(String),
}

/// How far a mailbox was read, as the job's note keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    position: Option<Position>,
    /// POP3: recorded, and to be deleted.
    delete: BTreeSet<String>,
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Access(String),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Record(#[from] crate::Error),
    #[error(transparent)]
    Store(#[from] postroad_store::Error),
}

/// Why a session ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    /// The next look is due after this.
    Again(Duration),
}

struct Watcher<'a> {
    watch: &'a Watch,
    feedback: &'a Feedback,
    clock: &'a dyn Clock,
    stop: &'a CancellationToken,
    tell: &'a (dyn Fn(WatchEvent) + Send + Sync),
}

/// Watches a mailbox until `stop`; `tell` hears what happens (metrics, tests).
pub async fn watch(
    watch: &Watch,
    feedback: &Feedback,
    node: NodeId,
    clock: &dyn Clock,
    stop: &CancellationToken,
    tell: &(dyn Fn(WatchEvent) + Send + Sync),
) {
    let watcher = Watcher { watch, feedback, clock, stop, tell };
    let job = format!("mailbox:{}", watch.name);
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let wait = match feedback.store().take_job(&job, node, clock.now()).await {
            Ok(None) => LOOK,
            Ok(Some(lease)) => {
                let ended = watcher.work(&lease).await;
                let released = feedback.store().release_job(&lease, None, clock.now()).await;
                if let Err(error) = released {
                    tracing::debug!(%error, job, "the job's lease runs out by itself");
                }
                match ended {
                    Ok(Ended::Stopped) => return,
                    Ok(Ended::Again(wait)) => {
                        pause = FIRST_PAUSE;
                        wait
                    }
                    Err(broken) => watcher.failed(&broken, &mut pause),
                }
            }
            Err(error) => watcher.failed(&error.into(), &mut pause),
        };
        watcher.sleep(wait).await;
    }
}

impl Watcher<'_> {
    /// Tells of a failure, and how long to wait.
    fn failed(&self, broken: &Broken, pause: &mut Duration) -> Duration {
        let mailbox = self.watch.name.as_str();
        let wait = match broken {
            Broken::Mail(error) if error.needs_a_person() => PERSON_PAUSE,
            Broken::Store(postroad_store::Error::JobLost { .. }) => LOOK,
            Broken::Mail(_) | Broken::Access(_) | Broken::Record(_) | Broken::Store(_) => *pause,
        };
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        tracing::warn!(mailbox, error = %broken, again_in = ?wait, "the mailbox could not be read");
        (self.tell)(WatchEvent::Failed(broken.to_string()));
        wait
    }

    async fn sleep(&self, wait: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    async fn work(&self, lease: &JobLease) -> Result<Ended, Broken> {
        let note = lease.note.as_deref().and_then(|n| serde_json::from_str(n).ok());
        let mut note: Note = note.unwrap_or_default();
        let access = (self.watch.access)().await.map_err(Broken::Access)?;
        match self.watch.protocol {
            MailProtocol::Imap => self.imap(&access, lease, &mut note).await,
            MailProtocol::Pop3 => self.pop3(&access, lease, &mut note).await,
        }
    }

    async fn keep(&self, lease: &JobLease, note: &Note) -> Result<(), Broken> {
        let text = serde_json::to_string(note).expect("a note of texts and numbers is JSON");
        Ok(self.feedback.store().note_job(lease, &text, self.clock.now()).await?)
    }

    async fn imap(
        &self,
        access: &Access,
        lease: &JobLease,
        note: &mut Note,
    ) -> Result<Ended, Broken> {
        let mut imap = Imap::open(access).await?;
        let selected = imap.select(&self.watch.folder, Opening::ReadWrite).await?;
        (self.tell)(WatchEvent::Open);
        let validity = selected.validity;
        loop {
            let uids = match Position::next_uid(note.position.as_ref(), validity) {
                Some(from) => imap.search(&Query::From(from)).await?,
                None => imap.search(&self.look_back()).await?,
            };
            for uid in &uids {
                if self.stop.is_cancelled() {
                    imap.close().await;
                    return Ok(Ended::Stopped);
                }
                if let Some(message) = imap.fetch(*uid, self.octets_max()).await? {
                    let after = self.record(message).await?;
                    self.put_away(&mut imap, *uid, after).await?;
                }
                note.position = Some(Position::Imap { validity, uid: *uid });
                self.keep(lease, note).await?;
            }
            if Position::next_uid(note.position.as_ref(), validity).is_none() {
                let uid = selected.uid_next.unwrap_or(1).saturating_sub(1);
                note.position = Some(Position::Imap { validity, uid });
            }
            self.keep(lease, note).await?;
            (self.tell)(WatchEvent::Idle);
            self.wait_for_mail(&mut imap, lease, note).await?;
            if self.stop.is_cancelled() {
                imap.close().await;
                return Ok(Ended::Stopped);
            }
        }
    }

    /// Waits for news while the job's lease is kept.
    async fn wait_for_mail(
        &self,
        imap: &mut Imap,
        lease: &JobLease,
        note: &Note,
    ) -> Result<(), Broken> {
        let mut lost = None;
        let woken = {
            let until = async {
                loop {
                    self.sleep(HEARTBEAT).await;
                    if self.stop.is_cancelled() {
                        return;
                    }
                    if let Err(error) = self.keep(lease, note).await {
                        lost = Some(error);
                        return;
                    }
                }
            };
            imap.wait(self.watch.poll, until).await?
        };
        if let Some(error) = lost {
            return Err(error);
        }
        if woken == Woken::Changed {
            tracing::debug!(mailbox = self.watch.name, "there is news");
        }
        Ok(())
    }

    async fn put_away(&self, imap: &mut Imap, uid: u32, after: &After) -> Result<(), Broken> {
        let After::Move(folder) = after else { return Ok(()) };
        match imap.move_to(uid, folder).await {
            Ok(()) => Ok(()),
            // It is recorded; where it lies is the lesser matter.
            Err(error @ (MailError::Refused { .. } | MailError::Unable { .. })) => {
                tracing::warn!(mailbox = self.watch.name, %error, "the message stays where it is");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn pop3(
        &self,
        access: &Access,
        lease: &JobLease,
        note: &mut Note,
    ) -> Result<Ended, Broken> {
        let mut pop3 = Pop3::open(access).await?;
        (self.tell)(WatchEvent::Open);
        let listed = pop3.unique_ids().await?;
        let mut seen = Position::still_seen(note.position.as_ref(), &listed);
        note.delete.retain(|id| seen.contains(id));
        let (mut taken, mut noted, mut noted_at) = (0, 0, Instant::now());
        for (number, id) in &listed {
            if self.stop.is_cancelled() || taken == POP3_MESSAGES {
                break;
            }
            if !seen.contains(id) {
                // What the server would not give now is asked for again at the next look.
                if let Some(message) = pop3.fetch(*number, self.octets_max()).await? {
                    taken += 1;
                    if *self.record(message).await? == After::Delete {
                        note.delete.insert(id.clone());
                    }
                    seen.insert(id.clone());
                }
            }
            // All of the note is written each time; what a kill makes come again is known.
            if taken >= noted + NOTED_EVERY || noted_at.elapsed() >= HEARTBEAT {
                note.position = Some(Position::Pop3 { seen: seen.clone() });
                self.keep(lease, note).await?;
                (noted, noted_at) = (taken, Instant::now());
            }
            // Also what an earlier session could not delete because it did not end well.
            if note.delete.contains(id) {
                pop3.delete(*number).await?;
            }
        }
        pop3.quit().await?;
        note.position = Some(Position::Pop3 { seen });
        self.keep(lease, note).await?;
        if self.stop.is_cancelled() {
            return Ok(Ended::Stopped);
        }
        (self.tell)(WatchEvent::Idle);
        let more = taken == POP3_MESSAGES;
        Ok(Ended::Again(if more { Duration::ZERO } else { self.watch.poll }))
    }

    /// Records a message, and says what is to become of it.
    async fn record(&self, message: Message) -> Result<&After, Broken> {
        if message.extent == Extent::Cut {
            tracing::debug!(mailbox = self.watch.name, "a long message is read in part");
        }
        let source = Source::Mailbox(self.watch.name.clone());
        let mail = Incoming::Mail { bytes: message.bytes, envelope_to: None, source };
        match self.feedback.take(mail, self.clock.now()).await {
            Ok(taken) => {
                (self.tell)(WatchEvent::Taken { reports: taken.outcomes.len() });
                Ok(if taken.is_nothing() { &self.watch.others } else { &self.watch.bounces })
            }
            Err(error) if error.is_transient() => Err(error.into()),
            Err(error) => {
                // Trying for ever would keep all later mail from being read; the message stays.
                tracing::error!(mailbox = self.watch.name, %error, "a message is left unread");
                Ok(&After::Leave)
            }
        }
    }

    fn octets_max(&self) -> usize {
        self.watch.octets_max.min(MAX_READ)
    }

    /// Days of IMAP have no zone, so a day more is asked for.
    fn look_back(&self) -> Query {
        let back = i64::try_from(self.watch.look_back.as_millis()).unwrap_or(i64::MAX);
        Query::Since(self.clock.now().plus_ms(-back.saturating_add(86_400_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_cannot_be_read_is_as_good_as_none() {
        let read = |text: &str| serde_json::from_str::<Note>(text).unwrap_or_default();
        assert_eq!(read("nonsense"), Note::default());
        let note = Note {
            position: Some(Position::Imap { validity: 3, uid: 4 }),
            delete: BTreeSet::from(["x".to_owned()]),
        };
        assert_eq!(read(&serde_json::to_string(&note).unwrap()), note);
    }
}
