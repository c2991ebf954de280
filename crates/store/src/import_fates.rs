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

/// The batch of new contacts.
pub(crate) fn adds(rows: &[ImportRow]) -> Result<String> {
    let adds: Vec<Add<'_>> = rows
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

/// The batch of their hashes.
pub(crate) fn hashes(rows: &[ImportRow]) -> Result<String> {
    json("address hashes", &rows.iter().map(|r| r.hash).collect::<Vec<_>>())
}

/// How a contact stands to the list: its number, the state, and which import put it there.
pub(crate) type Standing = (i64, i64, Option<i64>);

/// What the database said about a slice's hashes.
pub(crate) struct Book {
    run: ImportRun,
    suppressed: HashSet<i64>,
    existing: HashMap<i64, Existing>,
}

impl Book {
    pub(crate) fn new(run: ImportRun, suppressed: Vec<i64>) -> Self {
        Self { run, suppressed: suppressed.into_iter().collect(), existing: HashMap::new() }
    }

    /// The contacts of the slice as they stand, the new ones among them.
    pub(crate) fn stand(&mut self, existing: Vec<Existing>) {
        self.existing = existing.into_iter().map(|x| (x.address_hash, x)).collect();
    }

    fn fate_of(&self, row: &ImportRow, fate: RowFate) -> RowFate {
        if self.suppressed.contains(&row.hash) { RowFate::Suppressed } else { fate }
    }

    /// Every contact of the slice is new: the way of a first import.
    pub(crate) fn all_new(&self, rows: &[ImportRow]) -> Vec<RowFate> {
        rows.iter().map(|row| self.fate_of(row, RowFate::Added)).collect()
    }

    /// The fate of a row as far as the contact decides it, and what is to be written for it.
    pub(crate) fn decide(&self, row: &ImportRow, to_do: &mut Decisions) -> Result<RowFate> {
        let Some(old) = self.existing.get(&row.hash) else {
            // It was there when its insertion was refused. Only an undo removes contacts, and not in this moment:
            // on PostgreSQL the row would have to go between two statements. The slice is rolled back.
            return Err(Error::Inconsistent {
                table: "contacts",
                column: "address_hash",
                id: row.hash.to_string(),
            });
        };
        if old.erased_at.is_some() && self.suppressed.contains(&row.hash) {
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
            return Ok(self.fate_of(row, if new { RowFate::Added } else { RowFate::Updated }));
        }
        // Written by this import: a moment ago, before a kill, or by the same slice.
        Ok(self.fate_of(
            row,
            if old.created_import == Some(id) {
                RowFate::Added
            } else if old.updated_import == Some(id) {
                RowFate::Updated
            } else {
                RowFate::Unchanged
            },
        ))
    }

    /// Turns fates by how the contacts stand to the list: who left stays off it, who came on it is updated.
    pub(crate) fn heed_subscriptions(
        &self,
        rows: &[ImportRow],
        stand: &[Standing],
        fates: &mut [RowFate],
    ) {
        let stand: HashMap<i64, (i64, Option<i64>)> =
            stand.iter().map(|(contact, state, import)| (*contact, (*state, *import))).collect();
        for (row, fate) in rows.iter().zip(fates) {
            if matches!(fate, RowFate::Suppressed | RowFate::Collision) {
                continue;
            }
            let Some(contact) = self.existing.get(&row.hash) else { continue };
            match stand.get(&contact.id) {
                Some((state, _)) if *state == SubscriptionState::Unsubscribed.code() => {
                    *fate = RowFate::Unsubscribed;
                }
                Some((_, import))
                    if *fate == RowFate::Unchanged && *import == Some(self.run.id.0) =>
                {
                    *fate = RowFate::Updated;
                }
                // Nobody of the slice stood on the list before.
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
