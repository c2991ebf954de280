//! One round through a mailbox's folders: each is searched for what was not found yet, and what was found is kept at once.
//!
//! Called by `look` with an open connection. RFC 3501. What must always hold: whatever ends a round, what it found before is
//! written; the mailbox's job is held while it goes on; a copy that was found outside inbox and junk is in another folder only
//! when inbox and junk, asked once more, still do not hold it: it may have arrived after they were searched, and Gmail's
//! All Mail shows the inbox's mail too. It judges nothing that it did not find: `look` does.

use crate::folders::{Needed, Place};
use crate::look::{Session, accepted};
use crate::pace::Thoroughness;
use crate::search::{Found, Search, Stopped, Wanted};
use crate::{Placements, Result};
use postroad_mailbox::{Error as MailError, Imap};
use postroad_model::placement::Placement;
use postroad_model::{DeliveryId, Timestamp};
use postroad_store::SeedCopy;
use std::collections::HashMap;

/// What a round came to.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Where each is; written.
    pub found: HashMap<DeliveryId, Found>,
    /// Not everything that is needed was looked into: what was not found may be there.
    pub blind: Option<String>,
}

/// Whether the round goes on to the next folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Folder,
    End,
}

impl Session<'_> {
    /// Looks for copies in all folders, in a round that began then.
    pub(crate) async fn sweep(
        &self,
        imap: &mut Imap,
        places: &[Place],
        due: &[SeedCopy],
        began: Timestamp,
    ) -> Result<Swept> {
        let Placements { store, pace, .. } = self.placements;
        let want = |copy| {
            let since = accepted(copy).unwrap_or(began);
            Wanted { copy, since, searched: pace.thoroughness(since, copy.looks, began) }
        };
        let wanted: Vec<Wanted<'_>> = due.iter().map(want).collect();
        let keys = store.keys();
        let mut search = Search { imap, keys, until: self.until };
        let mut swept = Swept::default();
        let mut elsewhere = HashMap::new();
        for place in places {
            let left = wanted.iter().filter(|w| {
                let id = w.copy.delivery;
                let open = !swept.found.contains_key(&id) && !elsewhere.contains_key(&id);
                open && (place.means != Placement::Other || w.searched == Thoroughness::Everywhere)
            });
            let left: Vec<&Wanted<'_>> = left.collect();
            let mut found = HashMap::new();
            let next = self.folder(&mut search, (place, &left), &mut found, &mut swept).await?;
            if place.means == Placement::Other {
                elsewhere.extend(found);
            } else {
                self.keep(&wanted, &mut swept, found).await?;
            }
            if next == Next::End {
                return Ok(swept);
            }
        }
        self.once_more(&mut search, (places, &wanted), elsewhere, &mut swept).await?;
        Ok(swept)
    }

    /// What lies in another folder may have come to the inbox after that was searched.
    async fn once_more(
        &self,
        search: &mut Search<'_>,
        (places, wanted): (&[Place], &[Wanted<'_>]),
        mut elsewhere: HashMap<DeliveryId, Found>,
        swept: &mut Swept,
    ) -> Result<()> {
        for place in places.iter().filter(|p| p.means != Placement::Other) {
            let left: Vec<&Wanted<'_>> =
                wanted.iter().filter(|w| elsewhere.contains_key(&w.copy.delivery)).collect();
            let mut found = HashMap::new();
            let next = self.folder(search, (place, &left), &mut found, swept).await?;
            elsewhere.retain(|id, _| !found.contains_key(id));
            self.keep(wanted, swept, found).await?;
            if next == Next::End {
                return Ok(());
            }
        }
        // A needed folder that was not read leaves them unknown: `blind` says why, and the next look tries again.
        match swept.blind {
            Some(_) => Ok(()),
            None => self.keep(wanted, swept, elsewhere).await,
        }
    }

    async fn folder(
        &self,
        search: &mut Search<'_>,
        (place, left): (&Place, &[&Wanted<'_>]),
        found: &mut HashMap<DeliveryId, Found>,
        swept: &mut Swept,
    ) -> Result<Next> {
        if left.is_empty() {
            return Ok(Next::Folder);
        }
        self.placements.store.extend_job(self.job, self.clock.now()).await?;
        match search.folder(place, left, found).await {
            Ok(()) => Ok(Next::Folder),
            Err(Stopped::Mailbox(
                error @ (MailError::Refused { .. } | MailError::Unable { .. }),
            )) => {
                tracing::debug!(%error, folder = place.title, "a folder is left out");
                if place.needed == Needed::Yes {
                    swept.blind = Some(error.to_string());
                }
                Ok(Next::Folder)
            }
            Err(stopped) => {
                swept.blind = Some(stopped.to_string());
                Ok(Next::End)
            }
        }
    }

    async fn keep(
        &self,
        wanted: &[Wanted<'_>],
        swept: &mut Swept,
        found: HashMap<DeliveryId, Found>,
    ) -> Result<()> {
        let copies = wanted.iter().map(|w| w.copy);
        self.keep_found(copies, &found).await?;
        swept.found.extend(found);
        Ok(())
    }
}
