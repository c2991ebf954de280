//! Contacts: shown, exported page by page, erased.
//!
//! Called by cli (`contact show|export|erase`, `explain`). Imports write contacts (`imports`). Erasing nulls address,
//! name and attributes wherever they stand, former ones in `import_changes` and replies that quote them included;
//! the keyed hash stays as a suppression, so that the person is neither mailed nor imported again, and open
//! deliveries end as in `suppressions`. A row in `Sending` is left to its lane: its address goes with the next erase.

use crate::backend::{Named, read, tx};
use crate::sql::sql;
use crate::suppressions::{self, Suppression};
use crate::{Error, Result, Store};
use postroad_model::contact::{Subscription, SubscriptionState};
use postroad_model::delivery::Detail;
use postroad_model::{ContactId, EmailAddress, ImportId, ListId, MailboxProvider, Timestamp};
use serde::Serialize;

sql! {
    both CONTACT_BY_HASH = "contact_by_hash";
    both CONTACT_ID_HASH = "contact_id_hash";
    both CONTACT_SUBSCRIPTIONS = "contact_subscriptions";
    both CONTACTS_PAGE = "contacts_page";
    both CONTACTS_PAGE_LIST = "contacts_page_list";
    each CONTACTS_ATTRIBUTE_NAMES = "contacts_attribute_names";
    both CONTACT_ERASE = "contact_erase";
    both ERASE_IMPORT_CHANGES = "erase_import_changes";
    both ERASE_SUPPRESSIONS = "erase_suppressions";
    both ERASE_SUPPRESS = "erase_suppress";
    both ERASE_DELIVERIES_FIND = "erase_deliveries_find";
    both ERASE_DELIVERY = "erase_delivery";
    both ERASE_ATTEMPTS = "erase_attempts";
    both ERASE_EVENTS = "erase_events";
}

/// Distinct attribute names that an export looks for; more make no table that anybody reads.
const ATTRIBUTE_NAMES_MAX: i64 = 1_000;

/// The JSON text of a batch or column.
pub(crate) fn json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Json { what, source })
}

/// Attributes by name.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// A contact with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContactRecord {
    /// Its number.
    pub id: ContactId,
    /// The address; `None` once erased.
    pub address: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Attributes.
    pub attributes: Attributes,
    /// Who hosts the mailbox.
    pub provider: MailboxProvider,
    /// When it was made.
    pub created_at: Timestamp,
    /// By which import.
    pub created_import: Option<ImportId>,
    /// When its data last changed.
    pub updated_at: Timestamp,
    /// By which import.
    pub updated_import: Option<ImportId>,
    /// When it was erased.
    pub erased_at: Option<Timestamp>,
    /// How it stands to lists: name, state and since when.
    #[serde(serialize_with = "subscriptions_as_rows")]
    pub subscriptions: Vec<Subscription>,
    /// What stands against its address.
    pub suppressions: Vec<Suppression>,
}

fn subscriptions_as_rows<S: serde::Serializer>(
    all: &[Subscription],
    s: S,
) -> std::result::Result<S::Ok, S::Error> {
    s.collect_seq(
        all.iter()
            .map(|x| serde_json::json!({"list": x.list_name, "state": x.state, "since": x.since})),
    )
}

/// A contact as an export writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedContact {
    /// Its number: the page's key.
    pub id: ContactId,
    /// The address.
    pub address: String,
    /// Full name.
    pub name: Option<String>,
    /// Attributes.
    pub attributes: Attributes,
    /// When it was made.
    pub created_at: Timestamp,
    /// How it stands to the exported list and since when; `None` when all contacts are exported.
    pub subscription: Option<(SubscriptionState, Timestamp)>,
    /// True when it may not be mailed (everywhere, or on the exported list).
    pub suppressed: bool,
}

/// What an erasure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Erased {
    /// Contacts whose data are gone: 1, or 0 when there was none or it was erased before.
    pub contacts: u64,
    /// Waiting deliveries that were stopped.
    pub stopped: u64,
    /// Past deliveries from which the address was taken.
    pub deliveries: u64,
}

#[derive(sqlx::FromRow)]
struct ContactRow {
    id: i64,
    address: Option<String>,
    name: Option<String>,
    attributes: String,
    provider: i64,
    created_at: i64,
    created_import: Option<i64>,
    updated_at: i64,
    updated_import: Option<i64>,
    erased_at: Option<i64>,
}

type PageRow = (i64, Option<String>, Option<String>, String, i64, i64, i64, i64);

pub(crate) fn read_attributes(id: i64, text: &str) -> Result<Attributes> {
    serde_json::from_str(text).map_err(|_| Error::Inconsistent {
        table: "contacts",
        column: "attributes",
        id: id.to_string(),
    })
}

fn exported(row: PageRow, of_list: Option<ListId>) -> Result<ExportedContact> {
    let (id, address, name, attributes, created_at, state, since, suppressed) = row;
    let inconsistent = |table, column| Error::Inconsistent { table, column, id: id.to_string() };
    let subscription = match of_list {
        Some(_) => {
            let state = SubscriptionState::from_code(state)
                .ok_or_else(|| inconsistent("subscriptions", "state"))?;
            Some((state, Timestamp(since)))
        }
        None => None,
    };
    Ok(ExportedContact {
        id: ContactId(id),
        address: address.ok_or_else(|| inconsistent("contacts", "address"))?,
        name,
        attributes: read_attributes(id, &attributes)?,
        created_at: Timestamp(created_at),
        subscription,
        suppressed: suppressed == 1,
    })
}

impl Store {
    /// Everything about the contact with this address; an erased one is found by the hash alone.
    ///
    /// # Errors
    /// `Statement`, `Inconsistent`.
    pub async fn contact(&self, address: &EmailAddress) -> Result<Option<ContactRecord>> {
        let hash = self.keys.address_hash(address);
        let found = read!(self, |c, e| {
            let Some(row) = sqlx::query_as::<_, ContactRow>(CONTACT_BY_HASH.of(e))
                .bind(hash)
                .fetch_optional(&mut *c)
                .await
                .named(&CONTACT_BY_HASH)?
            else {
                return Ok(None);
            };
            let lists: Vec<(i64, String, i64, i64)> = sqlx::query_as(CONTACT_SUBSCRIPTIONS.of(e))
                .bind(row.id)
                .fetch_all(&mut *c)
                .await
                .named(&CONTACT_SUBSCRIPTIONS)?;
            Ok::<_, Error>(Some((row, lists)))
        })?;
        let Some((row, lists)) = found else { return Ok(None) };
        let mut subscriptions = Vec::with_capacity(lists.len());
        for (list, list_name, state, since) in lists {
            let state = SubscriptionState::from_code(state).ok_or_else(|| Error::Inconsistent {
                table: "subscriptions",
                column: "state",
                id: format!("{list}-{}", row.id),
            })?;
            let (list, since) = (ListId(list), Timestamp(since));
            subscriptions.push(Subscription { list, list_name, state, since });
        }
        Ok(Some(ContactRecord {
            id: ContactId(row.id),
            attributes: read_attributes(row.id, &row.attributes)?,
            provider: MailboxProvider::from_code(row.provider).ok_or_else(|| {
                Error::Inconsistent {
                    table: "contacts",
                    column: "provider",
                    id: row.id.to_string(),
                }
            })?,
            address: row.address,
            name: row.name,
            created_at: Timestamp(row.created_at),
            created_import: row.created_import.map(ImportId),
            updated_at: Timestamp(row.updated_at),
            updated_import: row.updated_import.map(ImportId),
            erased_at: row.erased_at.map(Timestamp),
            subscriptions,
            suppressions: self.suppressions_against(address).await?,
        }))
    }

    /// One page of a list's contacts, or of all, after the given number (start with `ContactId(0)`); an empty page
    /// is the end.
    ///
    /// # Errors
    /// `Statement`, `Inconsistent`.
    pub async fn export_contacts(
        &self,
        list: Option<ListId>,
        after: ContactId,
        limit: u32,
    ) -> Result<Vec<ExportedContact>> {
        let rows: Vec<PageRow> = read!(self, |c, e| {
            match list {
                Some(list) => sqlx::query_as(CONTACTS_PAGE_LIST.of(e))
                    .bind(list.0)
                    .bind(after.0)
                    .bind(i64::from(limit))
                    .fetch_all(&mut *c)
                    .await
                    .named(&CONTACTS_PAGE_LIST),
                None => sqlx::query_as(CONTACTS_PAGE.of(e))
                    .bind(after.0)
                    .bind(i64::from(limit))
                    .fetch_all(&mut *c)
                    .await
                    .named(&CONTACTS_PAGE),
            }
        })?;
        rows.into_iter().map(|row| exported(row, list)).collect()
    }

    /// The names of all attributes that contacts have, of one list or of all; at most a thousand.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn attribute_names(&self, list: Option<ListId>) -> Result<Vec<String>> {
        read!(self, |c, e| {
            sqlx::query_scalar(CONTACTS_ATTRIBUTE_NAMES.of(e))
                .bind(list.map_or(0, |l| l.0))
                .bind(ATTRIBUTE_NAMES_MAX)
                .fetch_all(&mut *c)
                .await
                .named(&CONTACTS_ATTRIBUTE_NAMES)
        })
    }

    /// Erases a person: data go, the hash stays as a suppression, waiting deliveries end.
    ///
    /// # Errors
    /// `Json`, `Statement`.
    pub async fn erase_contact(
        &self,
        address: &EmailAddress,
        origin: &str,
        now: Timestamp,
    ) -> Result<Erased> {
        let hash = self.keys.address_hash(address);
        let mut done = suppressions::repeat_on_conflict!(self.erase_once(hash, origin, now))?;
        if self.engine() == crate::Engine::Postgres {
            let again = suppressions::repeat_on_conflict!(self.erase_once(hash, origin, now))?;
            done.stopped += again.stopped;
        }
        Ok(done)
    }

    async fn erase_once(&self, hash: i64, origin: &str, now: Timestamp) -> Result<Erased> {
        let hashes = json("address hashes", &[hash])?;
        tx!(self, |c, e| {
            let query = sqlx::query(ERASE_SUPPRESS.of(e)).bind(hash).bind(origin).bind(now.0);
            query.execute(&mut *c).await.named(&ERASE_SUPPRESS)?;
            let query = sqlx::query(ERASE_SUPPRESSIONS.of(e)).bind(hash);
            query.execute(&mut *c).await.named(&ERASE_SUPPRESSIONS)?;
            let stopped = suppressions::stop_rows!(
                c,
                e,
                &suppressions::STOP_FIND_ALL,
                &hashes,
                Detail::Erased,
                now
            );
            let contact: Option<i64> = sqlx::query_scalar(CONTACT_ERASE.of(e))
                .bind(hash)
                .bind(now.0)
                .fetch_optional(&mut *c)
                .await
                .named(&CONTACT_ERASE)?;
            if let Some(contact) = contact {
                let query = sqlx::query(ERASE_IMPORT_CHANGES.of(e)).bind(contact);
                query.execute(&mut *c).await.named(&ERASE_IMPORT_CHANGES)?;
            }
            let past: Vec<(i64, i64)> = sqlx::query_as(ERASE_DELIVERIES_FIND.of(e))
                .bind(hash)
                .fetch_all(&mut *c)
                .await
                .named(&ERASE_DELIVERIES_FIND)?;
            for (bucket, id) in &past {
                for statement in [&ERASE_DELIVERY, &ERASE_ATTEMPTS] {
                    let query = sqlx::query(statement.of(e)).bind(bucket).bind(id);
                    query.execute(&mut *c).await.named(statement)?;
                }
            }
            let query = sqlx::query(ERASE_EVENTS.of(e)).bind(hash);
            query.execute(&mut *c).await.named(&ERASE_EVENTS)?;
            let (contacts, deliveries) = (contact.iter().len() as u64, past.len() as u64);
            Ok(Erased { contacts, stopped, deliveries })
        })
    }
}
