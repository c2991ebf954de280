//! Searches the folders of an open mailbox for copies.
//!
//! Called by `look` with a connection. SEARCH by the header's text first; where a server finds nothing that way (some
//! index only the usual fields), the newest messages' X-Postroad-Ref are fetched. Either way the header is fetched and our
//! key has the last word. Gmail's tabs by X-GM-RAW (X-GM-EXT-1). What must always hold: folders are opened with EXAMINE;
//! what was found before a failure or the end of the time is given back.

use crate::folders::Place;
use crate::pace::Thoroughness;
use postroad_mailbox::{Error as MailError, Imap, Opening, Query, Received, field, received};
use postroad_model::placement::Placement;
use postroad_model::token::{DeliveryToken, TokenKeys};
use postroad_model::{DeliveryId, Timestamp};
use postroad_store::SeedCopy;
use std::collections::{BTreeMap, HashMap};
use tokio::time::Instant;

/// The field that every message carries.
const REFERENCE: &str = "X-Postroad-Ref";
/// Of a folder whose search finds nothing, so many of the newest messages are looked at.
const NEWEST: usize = 200;
/// Of what a search finds for one copy, so many messages.
const FOUND_MAX: usize = 5;
/// Days of IMAP have no zone, and clocks differ: a search begins this much before the acceptance.
const SLACK_MS: i64 = 2 * 86_400_000;
/// Gmail's tabs beside the first, in its own words.
const TABS: [&str; 4] = ["promotions", "social", "updates", "forums"];

/// Where a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub placement: Placement,
    pub folder: String,
    pub tab: Option<String>,
    pub received: Received,
    pub internal_date: Option<Timestamp>,
}

/// Why a folder was not searched to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error(transparent)]
    Mailbox(#[from] MailError),
    #[error(
        "the mailbox has so many folders or is so slow that the look was ended; the next one goes on"
    )]
    Late,
}

/// A copy that is looked for.
pub(crate) struct Wanted<'a> {
    pub copy: &'a SeedCopy,
    pub since: Timestamp,
    pub searched: Thoroughness,
}

pub(crate) struct Search<'a> {
    pub imap: &'a mut Imap,
    pub keys: &'a TokenKeys,
    /// No further copy is looked for after this.
    pub until: Instant,
}

impl Search<'_> {
    /// Looks for copies in one folder and adds to `found`, also when it is stopped.
    pub async fn folder(
        &mut self,
        place: &Place,
        wanted: &[&Wanted<'_>],
        found: &mut HashMap<DeliveryId, Found>,
    ) -> Result<(), Stopped> {
        self.in_time()?;
        let selected = self.imap.select(&place.name, Opening::ReadOnly).await?;
        if selected.exists == 0 {
            return Ok(());
        }
        for w in wanted {
            self.in_time()?;
            let uids = self.by_search(w).await?;
            for uid in uids.into_iter().rev().take(FOUND_MAX) {
                if let Some(here) = self.verify(uid, w.copy, place).await? {
                    found.insert(w.copy.delivery, here);
                    break;
                }
            }
        }
        let rest: Vec<&&Wanted<'_>> =
            wanted.iter().filter(|w| !found.contains_key(&w.copy.delivery)).collect();
        if rest.iter().any(|w| w.searched == Thoroughness::Everywhere) {
            let by_delivery: BTreeMap<DeliveryId, &SeedCopy> =
                rest.iter().map(|w| (w.copy.delivery, w.copy)).collect();
            let since = rest.iter().map(|w| w.since).min().unwrap_or_default();
            for (uid, delivery) in self.newest(since).await? {
                if let Some(copy) = by_delivery.get(&delivery)
                    && let Some(here) = self.verify(uid, copy, place).await?
                {
                    found.insert(delivery, here);
                }
            }
        }
        Ok(())
    }

    fn in_time(&self) -> Result<(), Stopped> {
        if Instant::now() < self.until { Ok(()) } else { Err(Stopped::Late) }
    }

    async fn by_search(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u32>, MailError> {
        let copy = wanted.copy;
        let token = DeliveryToken { delivery: copy.delivery, campaign: copy.campaign, copy_no: 0 };
        let query = Query::HeaderSince {
            name: REFERENCE.into(),
            text: self.keys.reference(&token),
            since: wanted.since.plus_ms(-SLACK_MS),
        };
        match self.imap.search(&query).await {
            // A server without a search by header is asked for its newest messages instead.
            Err(MailError::Refused { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// What the newest messages of the open folder say of themselves.
    async fn newest(&mut self, since: Timestamp) -> Result<Vec<(u32, DeliveryId)>, MailError> {
        let mut uids = self.imap.search(&Query::Since(since.plus_ms(-SLACK_MS))).await?;
        uids.drain(..uids.len().saturating_sub(NEWEST));
        let fields = self.imap.fields(&uids, REFERENCE).await?;
        let token = |text: &str| self.keys.read_reference(text).ok().map(|t| t.delivery);
        Ok(fields.into_iter().filter_map(|(uid, text)| Some((uid, token(&text)?))).collect())
    }

    /// Fetches a header; `None` when it is not this copy's.
    async fn verify(
        &mut self,
        uid: u32,
        copy: &SeedCopy,
        place: &Place,
    ) -> Result<Option<Found>, MailError> {
        let Some(head) = self.imap.head(uid).await? else { return Ok(None) };
        let named = field(&head.bytes, REFERENCE);
        let token = named.and_then(|text| self.keys.read_reference(&text).ok());
        if token.is_none_or(|t| (t.delivery, t.campaign) != (copy.delivery, copy.campaign)) {
            return Ok(None);
        }
        let tab = match place.means {
            Placement::Inbox => self.tab(uid).await?,
            Placement::NotSent
            | Placement::Pending
            | Placement::Promotions
            | Placement::Spam
            | Placement::Other
            | Placement::Missing
            | Placement::Unknown => None,
        };
        Ok(Some(Found {
            placement: if tab.is_some() { Placement::Promotions } else { place.means },
            folder: place.title.clone(),
            tab,
            received: received(&head.bytes),
            internal_date: head.internal_date,
        }))
    }

    /// The tab of Gmail's inbox; `None` for the first one, and where there are none.
    async fn tab(&mut self, uid: u32) -> Result<Option<String>, MailError> {
        if !self.imap.can("X-GM-EXT-1") {
            return Ok(None);
        }
        for tab in TABS {
            let query = Query::Gmail { raw: format!("category:{tab}"), uid };
            match self.imap.search(&query).await {
                Ok(uids) if uids.contains(&uid) => return Ok(Some(tab.to_owned())),
                Ok(_) => {}
                Err(MailError::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
