//! What an import decides about each row of a slice, from what the database said about its hashes.
//!
//! Called by `imports` inside the slice's transaction; pure. What must always hold: every row gets exactly one fate,
//! an erased person stays erased while the suppression stands, and two addresses never become one contact.

use crate::contacts::{Attributes, json, read_attributes};
use crate::imports::{ImportRow, ImportRun, RowFate};
use crate::{Error, Result};
use postroad_model::EmailAddress;
use postroad_model::contact::SubscriptionState;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

#[derive(sqlx::FromRow)]
pub(crate) struct Existing {
    pub(crate) id: i64,
    pub(crate) address_hash: i64,
    address: Option<String>,
    name: Option<String>,
    attributes: String,
    created_import: Option<i64>,
    updated_import: Option<i64>,
    erased_at: Option<i64>,
}

#[derive(Serialize)]
struct Add<'a> {
    a: String,
    h: i64,
    p: i64,
    n: Option<&'a str>,
    x: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Change {
    i: i64,
    a: String,
    n: Option<String>,
    x: String,
}

/// What a slice decides about contacts that stood before.
#[derive(Default)]
pub(crate) struct Decisions {
    pub(crate) changes: Vec<Change>,
    pub(crate) remember: Vec<i64>,
    pub(crate) subscribe: Vec<i64>,
}

/// What the database said about a slice's hashes.
pub(crate) struct Book {
    suppressed: HashSet<i64>,
    /// Number of each new contact by its hash.
    added: HashMap<i64, i64>,
    pub(crate) existing: HashMap<i64, Existing>,
}

impl Book {
    pub(crate) fn new(suppressed: Vec<i64>, added: Vec<(i64, i64)>) -> Self {
        Self {
            suppressed: suppressed.into_iter().collect(),
            added: added.into_iter().map(|(id, hash)| (hash, id)).collect(),
            existing: HashMap::new(),
        }
    }

    pub(crate) fn contact(&self, hash: i64) -> Option<i64> {
        self.added.get(&hash).copied().or_else(|| self.existing.get(&hash).map(|x| x.id))
    }
}

pub(crate) struct Slice<'a> {
    pub(crate) run: ImportRun,
    pub(crate) rows: &'a [ImportRow],
}

impl Slice<'_> {
    pub(crate) fn adds(&self) -> Result<String> {
        let adds: Vec<Add<'_>> = self
            .rows
            .iter()
            .map(|r| Add {
                a: r.address.to_string(),
                h: r.hash,
                p: r.provider.code(),
                n: r.name.as_deref(),
                x: &r.attributes,
            })
            .collect();
        json("contacts", &adds)
    }

    pub(crate) fn hashes(&self) -> Result<String> {
        json("address hashes", &self.rows.iter().map(|r| r.hash).collect::<Vec<_>>())
    }

    pub(crate) fn missing(&self, book: &Book) -> Result<Option<String>> {
        let missing: Vec<i64> =
            self.rows.iter().map(|r| r.hash).filter(|h| !book.added.contains_key(h)).collect();
        if missing.is_empty() { Ok(None) } else { json("address hashes", &missing).map(Some) }
    }

    /// The fate of a row as far as the contact decides it, and what is to be written for it.
    pub(crate) fn decide(
        &self,
        row: &ImportRow,
        book: &Book,
        to_do: &mut Decisions,
    ) -> Result<RowFate> {
        let suppressed = book.suppressed.contains(&row.hash);
        let fate_of = |fate| if suppressed { RowFate::Suppressed } else { fate };
        if let Some(id) = book.added.get(&row.hash) {
            to_do.subscribe.push(*id);
            return Ok(fate_of(RowFate::Added));
        }
        let Some(old) = book.existing.get(&row.hash) else {
            // Erased between the two statements on PostgreSQL by nobody: contacts are never deleted but by undo.
            return Err(Error::Inconsistent {
                table: "contacts",
                column: "address_hash",
                id: row.hash.to_string(),
            });
        };
        if old.erased_at.is_some() && suppressed {
            return Ok(RowFate::Suppressed);
        }
        if let Some(address) = &old.address
            && EmailAddress::parse(address).is_ok_and(|a| a.key() != row.address.key())
        {
            return Ok(RowFate::Collision);
        }
        to_do.subscribe.push(old.id);
        let id = self.run.id.0;
        if let Some((name, attributes)) = merged(row, old)? {
            if old.created_import != Some(id) {
                to_do.remember.push(old.id);
            }
            let a = row.address.to_string();
            to_do.changes.push(Change { i: old.id, a, n: name, x: attributes });
            let new = old.created_import == Some(id);
            return Ok(fate_of(if new { RowFate::Added } else { RowFate::Updated }));
        }
        // The same import before a kill, or the same slice again: it was this import that wrote it.
        Ok(fate_of(if old.created_import == Some(id) {
            RowFate::Added
        } else if old.updated_import == Some(id) {
            RowFate::Updated
        } else {
            RowFate::Unchanged
        }))
    }

    /// Turns fates by how the contacts stand to the list: who left stays off it, who came on it is updated.
    pub(crate) fn heed_subscriptions(
        &self,
        book: &Book,
        stood: &[(i64, i64, Option<i64>)],
        fates: &mut [RowFate],
    ) {
        let stood: HashMap<i64, (i64, Option<i64>)> =
            stood.iter().map(|(contact, state, import)| (*contact, (*state, *import))).collect();
        for (row, fate) in self.rows.iter().zip(fates) {
            if matches!(fate, RowFate::Suppressed | RowFate::Collision) {
                continue;
            }
            let Some(contact) = book.contact(row.hash) else { continue };
            match stood.get(&contact) {
                Some((state, _)) if *state == SubscriptionState::Unsubscribed.code() => {
                    *fate = RowFate::Unsubscribed;
                }
                Some((_, import))
                    if *fate == RowFate::Unchanged && *import == Some(self.run.id.0) =>
                {
                    *fate = RowFate::Updated;
                }
                None if *fate == RowFate::Unchanged => *fate = RowFate::Updated,
                Some(_) | None => {}
            }
        }
    }
}

/// Name and attributes after the row is laid over what stands; `None` when that changes nothing.
fn merged(row: &ImportRow, old: &Existing) -> Result<Option<(Option<String>, String)>> {
    let name = row.name.as_ref().or(old.name.as_ref());
    let same_name = name == old.name.as_ref() && old.erased_at.is_none();
    if same_name && row.attributes == old.attributes {
        return Ok(None);
    }
    let before = read_attributes(old.id, &old.attributes)?;
    let new: Attributes = serde_json::from_str(&row.attributes)
        .map_err(|source| Error::Json { what: "attributes", source })?;
    let mut after = before.clone();
    after.extend(new);
    if same_name && after == before {
        return Ok(None);
    }
    Ok(Some((name.cloned(), json("attributes", &after)?)))
}
