//! Taking an import back, in slices like the import itself.
//!
//! Called by cli (`contact undo-import`). Two passes, each of which may be killed and run again: contacts that stood
//! before get back what the import changed, unless something else changed them since; then whoever it put on the list
//! is taken off it. A contact that the import made and nothing else touched is removed. Who stands in a campaign's
//! audience is unsubscribed instead, so that the links in that mail keep their meaning and waiting rows are stopped.
//! Whoever left meanwhile stays as they are. It lifts no suppression and touches no row in `Sending`.

use crate::backend::{Named, read, tx};
use crate::contacts::json;
use crate::sql::sql;
use crate::suppressions::{self, repeat_on_conflict};
use crate::{Result, Store};
use postroad_model::contact::SubscriptionState;
use postroad_model::delivery::Detail;
use postroad_model::{ImportId, ListId, Timestamp};
use serde::Serialize;
use std::collections::HashSet;

sql! {
    both UNDO_PAGE = "undo_page";
    each UNDO_MAILED = "undo_mailed";
    each UNDO_LEAVE = "undo_leave";
    each UNDO_UNLIST = "undo_unlist";
    each UNDO_REMOVE = "undo_remove";
    both UNDO_RESTORE = "undo_restore";
    both UNDO_RESTORE_PAGE = "undo_restore_page";
    both UNDO_FORGET = "undo_forget";
    both UNDO_FINISH = "undo_finish";
}

const SLICE: i64 = 1_000;

/// What `undo_import` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndoReport {
    /// The import.
    pub import: ImportId,
    /// When it had been undone before: then nothing was done now.
    pub undone_before: Option<Timestamp>,
    /// Contacts that it made and nothing else touched: gone.
    pub removed: u64,
    /// Contacts that were only taken off the list.
    pub taken_off: u64,
    /// Contacts that stand in a campaign's audience: kept and unsubscribed from the list.
    pub unsubscribed: u64,
    /// Contacts that left the list themselves meanwhile or were erased: kept as they are.
    pub kept: u64,
    /// Contacts that got back their name and attributes.
    pub restored: u64,
    /// Changed contacts that something else changed since: their data stay.
    pub changed_since: u64,
    /// Waiting deliveries that were stopped.
    pub stopped: u64,
}

#[derive(sqlx::FromRow)]
struct Member {
    contact_id: i64,
    address_hash: i64,
    state: i64,
    created_import: Option<i64>,
    updated_import: Option<i64>,
    erased_at: Option<i64>,
    other_lists: i64,
}

/// One slice's members sorted by what is done to them.
#[derive(Default)]
struct Sorted {
    remove: Vec<i64>,
    unlist: Vec<i64>,
    leave: Vec<i64>,
    stop: Vec<i64>,
    kept: u64,
}

impl Sorted {
    fn new(import: ImportId, members: &[Member], mailed: &HashSet<i64>) -> Self {
        let mut sorted = Self::default();
        for m in members {
            let own = m.created_import == Some(import.0)
                && m.updated_import == Some(import.0)
                && m.other_lists == 0;
            if m.erased_at.is_some() || m.state != SubscriptionState::Subscribed.code() {
                sorted.kept += 1;
            } else if mailed.contains(&m.address_hash) {
                sorted.leave.push(m.contact_id);
                sorted.stop.push(m.address_hash);
            } else {
                sorted.unlist.push(m.contact_id);
                if own {
                    sorted.remove.push(m.contact_id);
                }
            }
        }
        sorted
    }
}

impl Store {
    /// Takes an import back. It may be called again after a kill.
    ///
    /// # Errors
    /// `NotFound`, `Json`, `Statement`.
    pub async fn undo_import(&self, id: ImportId, now: Timestamp) -> Result<UndoReport> {
        let info = self.import(id).await?;
        let mut report = UndoReport {
            import: id,
            undone_before: info.undone_at,
            removed: 0,
            taken_off: 0,
            unsubscribed: 0,
            kept: 0,
            restored: 0,
            changed_since: 0,
            stopped: 0,
        };
        if info.undone_at.is_some() {
            return Ok(report);
        }
        while let Some((seen, restored)) = repeat_on_conflict!(self.restore_slice(id, now))? {
            report.restored += restored;
            report.changed_since += seen - restored;
        }
        let mut after = 0;
        while let Some((last, sorted, stopped)) =
            repeat_on_conflict!(self.unlist_slice(id, info.list, after, now))?
        {
            after = last;
            report.removed += sorted.remove.len() as u64;
            report.taken_off += (sorted.unlist.len() - sorted.remove.len()) as u64;
            report.unsubscribed += sorted.leave.len() as u64;
            report.kept += sorted.kept;
            report.stopped += stopped;
        }
        tx!(self, |c, e| {
            let query = sqlx::query(UNDO_FINISH.of(e)).bind(id.0).bind(now.0);
            query.execute(&mut *c).await.named(&UNDO_FINISH)?;
            Ok(())
        })?;
        Ok(report)
    }

    /// One slice of the first pass: how many remembered contacts it had and how many it gave back.
    async fn restore_slice(&self, id: ImportId, now: Timestamp) -> Result<Option<(u64, u64)>> {
        tx!(self, |c, e| {
            let query = sqlx::query_scalar(UNDO_RESTORE_PAGE.of(e)).bind(id.0).bind(SLICE);
            let page: Vec<i64> = query.fetch_all(&mut *c).await.named(&UNDO_RESTORE_PAGE)?;
            let Some(last) = page.last() else { return Ok(None) };
            let query = sqlx::query(UNDO_RESTORE.of(e)).bind(id.0).bind(last).bind(now.0);
            let restored = query.execute(&mut *c).await.named(&UNDO_RESTORE)?.rows_affected();
            let query = sqlx::query(UNDO_FORGET.of(e)).bind(id.0).bind(last);
            query.execute(&mut *c).await.named(&UNDO_FORGET)?;
            Ok(Some((page.len() as u64, restored)))
        })
    }

    /// One slice of the second pass, after the given contact.
    async fn unlist_slice(
        &self,
        id: ImportId,
        list: ListId,
        after: i64,
        now: Timestamp,
    ) -> Result<Option<(i64, Sorted, u64)>> {
        let members: Vec<Member> = read!(self, |c, e| {
            let query = sqlx::query_as(UNDO_PAGE.of(e)).bind(list.0).bind(id.0);
            query.bind(after).bind(SLICE).fetch_all(&mut *c).await.named(&UNDO_PAGE)
        })?;
        let Some(last) = members.last().map(|m| m.contact_id) else { return Ok(None) };
        let hashes: Vec<i64> = members.iter().map(|m| m.address_hash).collect();
        let hashes = json("address hashes", &hashes)?;
        tx!(self, |c, e| {
            let query = sqlx::query_scalar(UNDO_MAILED.of(e)).bind(hashes);
            let mailed: Vec<i64> = query.fetch_all(&mut *c).await.named(&UNDO_MAILED)?;
            let sorted = Sorted::new(id, &members, &mailed.into_iter().collect());
            let leave = json("contact numbers", &sorted.leave)?;
            let query = sqlx::query(UNDO_LEAVE.of(e)).bind(leave).bind(list.0).bind(now.0);
            query.execute(&mut *c).await.named(&UNDO_LEAVE)?;
            let unlist = json("contact numbers", &sorted.unlist)?;
            let query = sqlx::query(UNDO_UNLIST.of(e)).bind(unlist).bind(list.0);
            query.execute(&mut *c).await.named(&UNDO_UNLIST)?;
            let query =
                sqlx::query(UNDO_REMOVE.of(e)).bind(json("contact numbers", &sorted.remove)?);
            query.execute(&mut *c).await.named(&UNDO_REMOVE)?;
            let stop = json("address hashes", &sorted.stop)?;
            let find = &suppressions::STOP_FIND_LEFT;
            let stopped = suppressions::stop_rows!(c, e, find, stop, Detail::Unsubscribed, now);
            Ok(Some((last, sorted, stopped)))
        })
    }
}
