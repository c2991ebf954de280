//! Lists and who is on them.
//!
//! Called by cli (`list ...`), web (one-click) and the import. A subscription's `Unsubscribed` is the person's word:
//! only `subscribe`, the person's or operator's own act, ends it; an import never does. Leaving a list stops the
//! waiting rows of campaigns none of whose lists may mail the person any more, in the same transaction
//! (docs/architecture.md, RFC 8058 section 3.2 for the one-click); a row on the wire (`Sending`) is never touched.
//! It does not know what a token or a web page is.

use crate::backend::{Named, read, tx};
use crate::contacts::json;
use crate::sql::sql;
use crate::suppressions::{self, SUPPRESSIONS_ADD};
use crate::{Error, Result, Store};
use postroad_model::delivery::Detail;
use postroad_model::suppression::{SuppressionReason, SuppressionScope};
use postroad_model::{CampaignId, ContactId, DeliveryId, ListId, Timestamp};
use serde::Serialize;

sql! {
    both LIST_INSERT = "list_insert";
    both LIST_ALL = "list_all";
    both LIST_BY_NAME = "list_by_name";
    both LIST_ID = "list_id";
    both LIST_NAMES = "list_names";
    both LIST_RENAME = "list_rename";
    both LIST_USES = "list_uses";
    both LIST_DELETE = "list_delete";
    both SUBSCRIBE = "subscribe";
    each UNSUBSCRIBE_LISTS = "unsubscribe_lists";
    both UNSUBSCRIBE_EVERYTHING = "unsubscribe_everything";
    both EVENT_UNSUBSCRIBE = "event_unsubscribe";
}

/// A list with its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListInfo {
    /// Its number.
    pub id: ListId,
    /// Its name.
    pub name: String,
    /// What recipients see, where one is given.
    pub title: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Contacts that get its campaigns.
    pub subscribed: i64,
    /// Contacts that left.
    pub unsubscribed: i64,
}

type ListRow = (i64, String, Option<String>, i64, i64, i64);

impl From<ListRow> for ListInfo {
    fn from((id, name, title, created_at, subscribed, unsubscribed): ListRow) -> Self {
        let (id, created_at) = (ListId(id), Timestamp(created_at));
        Self { id, name, title, created_at, subscribed, unsubscribed }
    }
}

/// What `delete_list` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListDeletion {
    /// It is gone.
    Deleted,
    /// It is still used, and nothing was changed.
    InUse {
        /// Contacts on it, also those that left.
        members: i64,
        /// Campaigns that name it.
        campaigns: i64,
        /// Suppressions that hold on it alone.
        suppressions: i64,
    },
}

/// What a person leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnsubscribeFrom {
    /// These lists, also those that the person never joined.
    Lists(Vec<ListId>),
    /// Every list, now and later: the address is suppressed everywhere too.
    Everything,
}

/// A person's wish to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Who.
    pub contact: ContactId,
    /// What.
    pub from: UnsubscribeFrom,
    /// The campaign whose mail brought the wish.
    pub campaign: Option<CampaignId>,
    /// Its delivery.
    pub delivery: Option<DeliveryId>,
    /// Who or what said so: `one-click`, `page`, `cli`.
    pub origin: String,
    /// When.
    pub at: Timestamp,
}

/// What an unsubscribe changed; zeros when it had been done before or there is no such contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Unsubscribed {
    /// Lists left.
    pub lists: u64,
    /// Waiting deliveries that were stopped.
    pub stopped: u64,
}

impl Store {
    /// Makes a list.
    ///
    /// # Errors
    /// `Exists` when the name is taken; `Statement`.
    pub async fn create_list(
        &self,
        name: &str,
        title: Option<&str>,
        now: Timestamp,
    ) -> Result<ListId> {
        let id: Option<i64> = tx!(self, |c, e| {
            sqlx::query_scalar(LIST_INSERT.of(e))
                .bind(name)
                .bind(title)
                .bind(now.0)
                .fetch_optional(&mut *c)
                .await
                .named(&LIST_INSERT)
        })?;
        id.map(ListId).ok_or_else(|| Error::Exists { kind: "list", name: name.to_owned() })
    }

    /// All lists by name.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn lists(&self) -> Result<Vec<ListInfo>> {
        let rows: Vec<ListRow> = read!(self, |c, e| {
            sqlx::query_as(LIST_ALL.of(e)).fetch_all(&mut *c).await.named(&LIST_ALL)
        })?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One list with its members.
    ///
    /// # Errors
    /// `NotFound` names the lists that there are; `Statement`.
    pub async fn list(&self, name: &str) -> Result<ListInfo> {
        let row: Option<ListRow> = read!(self, |c, e| {
            sqlx::query_as(LIST_BY_NAME.of(e))
                .bind(name)
                .fetch_optional(&mut *c)
                .await
                .named(&LIST_BY_NAME)
        })?;
        match row {
            Some(row) => Ok(row.into()),
            None => Err(self.no_list(name).await?),
        }
    }

    /// A list's number, without counting its members.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn list_id(&self, name: &str) -> Result<ListId> {
        let id: Option<i64> = read!(self, |c, e| {
            sqlx::query_scalar(LIST_ID.of(e))
                .bind(name)
                .fetch_optional(&mut *c)
                .await
                .named(&LIST_ID)
        })?;
        match id {
            Some(id) => Ok(ListId(id)),
            None => Err(self.no_list(name).await?),
        }
    }

    /// Gives a list another name.
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `Statement`.
    pub async fn rename_list(&self, name: &str, new_name: &str) -> Result<()> {
        let id = self.list_id(name).await?;
        let taken = tx!(self, |c, e| {
            let other: Option<i64> = sqlx::query_scalar(LIST_ID.of(e))
                .bind(new_name)
                .fetch_optional(&mut *c)
                .await
                .named(&LIST_ID)?;
            if other.is_some_and(|other| other != id.0) {
                return Ok(true);
            }
            sqlx::query(LIST_RENAME.of(e))
                .bind(id.0)
                .bind(new_name)
                .execute(&mut *c)
                .await
                .named(&LIST_RENAME)?;
            Ok(false)
        })?;
        if taken { Err(Error::Exists { kind: "list", name: new_name.to_owned() }) } else { Ok(()) }
    }

    /// Deletes a list that nothing refers to.
    ///
    /// # Errors
    /// `NotFound`, `Statement`.
    pub async fn delete_list(&self, name: &str) -> Result<ListDeletion> {
        let id = self.list_id(name).await?;
        tx!(self, |c, e| {
            let (members, campaigns, suppressions): (i64, i64, i64) =
                sqlx::query_as(LIST_USES.of(e))
                    .bind(id.0)
                    .fetch_one(&mut *c)
                    .await
                    .named(&LIST_USES)?;
            if members + campaigns + suppressions > 0 {
                return Ok(ListDeletion::InUse { members, campaigns, suppressions });
            }
            sqlx::query(LIST_DELETE.of(e)).bind(id.0).execute(&mut *c).await.named(&LIST_DELETE)?;
            Ok(ListDeletion::Deleted)
        })
    }

    /// Puts a contact on a list by the person's or operator's own act, also one that had left. True when that
    /// changed something.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn subscribe(
        &self,
        contact: ContactId,
        list: ListId,
        now: Timestamp,
    ) -> Result<bool> {
        let changed: Option<i64> = tx!(self, |c, e| {
            sqlx::query_scalar(SUBSCRIBE.of(e))
                .bind(list.0)
                .bind(contact.0)
                .bind(now.0)
                .fetch_optional(&mut *c)
                .await
                .named(&SUBSCRIBE)
        })?;
        Ok(changed.is_some())
    }

    /// Takes a contact off lists, records the event and stops its waiting deliveries: no final dot follows whose
    /// intent became durable after this returned.
    ///
    /// # Errors
    /// `Json`, `Statement`.
    pub async fn unsubscribe(&self, wish: &Unsubscribe) -> Result<Unsubscribed> {
        let mut done = suppressions::repeat_on_conflict!(self.unsubscribe_once(wish))?;
        if self.engine() == crate::Engine::Postgres {
            // A W1 that read before the first transaction committed may have leased meanwhile.
            done.stopped += suppressions::repeat_on_conflict!(self.unsubscribe_once(wish))?.stopped;
        }
        Ok(done)
    }

    async fn unsubscribe_once(&self, wish: &Unsubscribe) -> Result<Unsubscribed> {
        let lists = match &wish.from {
            UnsubscribeFrom::Lists(lists) => Some(json("list numbers", lists)?),
            UnsubscribeFrom::Everything => None,
        };
        tx!(self, |c, e| {
            let Some((hash, address)): Option<(i64, Option<String>)> =
                sqlx::query_as(crate::contacts::CONTACT_ID_HASH.of(e))
                    .bind(wish.contact.0)
                    .fetch_optional(&mut *c)
                    .await
                    .named(&crate::contacts::CONTACT_ID_HASH)?
            else {
                return Ok(Unsubscribed::default());
            };
            let (left, find): (Vec<i64>, _) = match &lists {
                Some(lists) => {
                    let query = sqlx::query_scalar(UNSUBSCRIBE_LISTS.of(e)).bind(lists);
                    let query = query.bind(wish.contact.0).bind(wish.at.0);
                    let left = query.fetch_all(&mut *c).await.named(&UNSUBSCRIBE_LISTS)?;
                    (left, &suppressions::STOP_FIND_LEFT)
                }
                None => {
                    let query = sqlx::query_scalar(UNSUBSCRIBE_EVERYTHING.of(e));
                    let query = query.bind(wish.contact.0).bind(wish.at.0);
                    let left = query.fetch_all(&mut *c).await.named(&UNSUBSCRIBE_EVERYTHING)?;
                    let everywhere = suppressions::batch(&[wish.everywhere(hash, address)])?;
                    sqlx::query(SUPPRESSIONS_ADD.of(e))
                        .bind(everywhere)
                        .execute(&mut *c)
                        .await
                        .named(&SUPPRESSIONS_ADD)?;
                    (left, &suppressions::STOP_FIND_ALL)
                }
            };
            if !left.is_empty() {
                let data = serde_json::json!({"lists": left, "origin": wish.origin}).to_string();
                sqlx::query(EVENT_UNSUBSCRIBE.of(e))
                    .bind(wish.at.0)
                    .bind(wish.campaign.map(|k| k.0))
                    .bind(wish.delivery.map(|d| d.bucket))
                    .bind(wish.delivery.map(|d| d.id))
                    .bind(wish.contact.0)
                    .bind(data)
                    .execute(&mut *c)
                    .await
                    .named(&EVENT_UNSUBSCRIBE)?;
            }
            let hashes = json("address hashes", &[hash])?;
            let stopped =
                suppressions::stop_rows!(c, e, find, &hashes, Detail::Unsubscribed, wish.at);
            Ok(Unsubscribed { lists: left.len() as u64, stopped })
        })
    }

    async fn no_list(&self, name: &str) -> Result<Error> {
        let names: Vec<String> = read!(self, |c, e| {
            sqlx::query_scalar(LIST_NAMES.of(e)).fetch_all(&mut *c).await.named(&LIST_NAMES)
        })?;
        let hint = if names.is_empty() {
            "; there is none yet: postroad list create NAME makes one".to_owned()
        } else {
            let shown = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if names.len() > 8 { ", ..." } else { "" };
            format!("; there are: {shown}{more}")
        };
        Ok(Error::NotFound { kind: "list", name: name.to_owned(), hint })
    }
}

impl Unsubscribe {
    fn everywhere(&self, hash: i64, address: Option<String>) -> suppressions::NewRow {
        suppressions::NewRow {
            hash,
            scope: SuppressionScope::All.as_i64(),
            address,
            reason: suppressions::reason_name(SuppressionReason::Unsubscribe),
            origin: self.origin.clone(),
            at: self.at.0,
        }
    }
}
