//! Looks into seed mailboxes as rows: what is still to be looked for, what a look found, how a mailbox does.
//!
//! Called by `placement` under the mailbox's once-only job, whose lease each write extends, so that a slower node
//! writes nothing. What must hold: what was found once is not forgotten by a later look that finds nothing (the
//! caller decides, here nothing is judged); the row's state is not touched, evidence for it goes `feedback`'s way.

use crate::backend::{Named, read, tx};
use crate::jobs::{JobLease, hold_job};
use crate::seeds::{Authentication, CopyRow, SeedCopy};
use crate::sql::sql;
use crate::{Error, Result, Store};
use postroad_model::placement::{AuthResult, Placement};
use postroad_model::{DeliveryId, MailboxProvider, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

sql! {
    both SEED_COPIES_OPEN = "seed_copies_open";
    both SEED_COPIES_STRAY = "seed_copies_stray";
    both SEED_LOOK_WRITE = "seed_look_write";
    both SEED_MAILBOX_KNOWN = "seed_mailbox_known";
    both SEED_MAILBOX_LOOKED = "seed_mailbox_looked";
    both SEED_MAILBOXES_ALL = "seed_mailboxes_all";
    both SEED_MAILBOXES_DUE = "seed_mailboxes_due";
    both SEED_MAILBOXES_FORGET = "seed_mailboxes_forget";
}

/// A mailbox that no process has named for so long left the configuration. Each one that looks names its own every minute; the
/// time between is for those that are started anew.
const FORGOTTEN_MS: i64 = 15 * 60_000;

/// What a look found of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedLook {
    /// The copy's delivery row.
    pub delivery: DeliveryId,
    /// Where it is.
    pub placement: Placement,
    /// The folder, by the mailbox's own name.
    pub folder: Option<String>,
    /// The inbox's tab.
    pub tab: Option<String>,
    /// When the relay took it, as it was known.
    pub accepted_at: Option<Timestamp>,
    /// When the mailbox's server took it; what was known stays where this is `None`.
    pub arrived_at: Option<Timestamp>,
    /// As the mailbox provider saw it; what was known stays where this is `None`.
    pub authentication: Authentication,
    /// When to look again; `None`: never.
    pub next_look_at: Option<Timestamp>,
    /// What kept the look from an answer.
    pub trouble: Option<String>,
}

/// A seed mailbox as it was last looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedMailboxRow {
    /// Its name in the configuration.
    pub name: String,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// Since when it should be looked into.
    pub since: Timestamp,
    /// When that worked last.
    pub looked_at: Option<Timestamp>,
    /// When it failed; `None`: the last look worked.
    pub failed_at: Option<Timestamp>,
    /// Why it failed.
    pub trouble: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
struct MailboxRow {
    name: String,
    provider: i64,
    since: i64,
    looked_at: Option<i64>,
    failed_at: Option<i64>,
    trouble: Option<String>,
}

impl MailboxRow {
    fn into_mailbox(self) -> Result<SeedMailboxRow> {
        let Some(provider) = MailboxProvider::from_code(self.provider) else {
            let (table, column) = ("seed_mailboxes", "provider");
            return Err(Error::Inconsistent { table, column, id: self.name });
        };
        Ok(SeedMailboxRow {
            name: self.name,
            provider,
            since: Timestamp(self.since),
            looked_at: self.looked_at.map(Timestamp),
            failed_at: self.failed_at.map(Timestamp),
            trouble: self.trouble,
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Writes looks inside a `tx!` body.
macro_rules! write_looks {
    ($c:expr, $e:expr, $looks:expr, $now:expr) => {{
        let name = |result: Option<AuthResult>| result.map(AuthResult::as_str);
        for look in $looks {
            sqlx::query(SEED_LOOK_WRITE.of($e))
                .bind(look.delivery.id)
                .bind(look.placement.as_str())
                .bind(&look.folder)
                .bind(&look.tab)
                .bind(look.accepted_at.map(|t| t.0))
                .bind(look.arrived_at.map(|t| t.0))
                .bind(name(look.authentication.spf))
                .bind(name(look.authentication.dkim))
                .bind(name(look.authentication.dmarc))
                .bind(look.next_look_at.map(|t| t.0))
                .bind(&look.trouble)
                .bind(look.next_look_at.is_none().then_some($now.0))
                .execute(&mut *$c)
                .await
                .named(&SEED_LOOK_WRITE)?;
        }
    }};
}

impl Store {
    /// Names of the mailboxes with copies that are to be looked for: `first` after their acceptance, then when the last
    /// look said. For a copy that nobody looked for yet a mailbox that failed is left alone for `again`.
    ///
    /// # Errors
    /// The database's.
    pub async fn due_seed_mailboxes(
        &self,
        first: Duration,
        again: Duration,
        now: Timestamp,
    ) -> Result<BTreeSet<String>> {
        let names: Vec<String> = read!(self, |c, e| {
            sqlx::query_scalar(SEED_MAILBOXES_DUE.of(e))
                .bind(now.0)
                .bind(millis(first))
                .bind(millis(again))
                .fetch_all(&mut *c)
                .await
                .named(&SEED_MAILBOXES_DUE)
        })?;
        Ok(names.into_iter().collect())
    }

    /// Forgets mailboxes that no process has named for a quarter of an hour, and closes copies that nobody can find any more: no
    /// relay took them and none will, or their mailbox is forgotten; gives how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn close_stray_seed_copies(&self, now: Timestamp) -> Result<u64> {
        // By itself: a look locks copies first and then their mailbox.
        tx!(self, |c, e| {
            sqlx::query(SEED_MAILBOXES_FORGET.of(e))
                .bind(now.0 - FORGOTTEN_MS)
                .execute(&mut *c)
                .await
                .named(&SEED_MAILBOXES_FORGET)
                .map(drop)
        })?;
        tx!(self, |c, e| {
            let done = sqlx::query(SEED_COPIES_STRAY.of(e))
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&SEED_COPIES_STRAY)?;
            Ok(done.rows_affected())
        })
    }

    /// Writes what was found so far, while the look goes on.
    ///
    /// # Errors
    /// `JobLost` when another node took the mailbox.
    pub async fn keep_seed_looks(
        &self,
        job: &JobLease,
        copies: &[SeedLook],
        now: Timestamp,
    ) -> Result<()> {
        tx!(self, |c, e| {
            hold_job!(c, e, job, None, now);
            write_looks!(c, e, copies, now);
            Ok(())
        })
    }

    /// Copies of a mailbox whose look is due until a time, the first one `first` after their acceptance; those that have
    /// waited longest first, at most `limit`.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn open_seed_copies(
        &self,
        mailbox: &str,
        (first, until): (Duration, Timestamp),
        limit: i64,
    ) -> Result<Vec<SeedCopy>> {
        let rows: Vec<CopyRow> = read!(self, |c, e| {
            sqlx::query_as(SEED_COPIES_OPEN.of(e))
                .bind(mailbox)
                .bind(limit)
                .bind(millis(first))
                .bind(until.0)
                .fetch_all(&mut *c)
                .await
                .named(&SEED_COPIES_OPEN)
        })?;
        rows.into_iter().map(CopyRow::into_copy).collect()
    }

    /// Writes what a look into a mailbox found, or why there was none.
    ///
    /// # Errors
    /// `JobLost` when another node took the mailbox.
    pub async fn record_seed_looks(
        &self,
        job: &JobLease,
        mailbox: &str,
        looks: &[SeedLook],
        trouble: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        tx!(self, |c, e| {
            hold_job!(c, e, job, None, now);
            write_looks!(c, e, looks, now);
            sqlx::query(SEED_MAILBOX_LOOKED.of(e))
                .bind(mailbox)
                .bind(trouble.is_none().then_some(now.0))
                .bind(trouble.is_some().then_some(now.0))
                .bind(trouble)
                .execute(&mut *c)
                .await
                .named(&SEED_MAILBOX_LOOKED)
                .map(drop)
        })
    }

    /// Names the mailboxes of a process's configuration. Those of others stay: their processes may have a newer one.
    ///
    /// # Errors
    /// The database's.
    pub async fn register_seed_mailboxes(
        &self,
        mailboxes: &[(String, MailboxProvider)],
        now: Timestamp,
    ) -> Result<()> {
        // In one order, since several processes do so at once.
        let mut mailboxes: Vec<_> = mailboxes.iter().collect();
        mailboxes.sort_unstable();
        tx!(self, |c, e| {
            for (name, provider) in &mailboxes {
                sqlx::query(SEED_MAILBOX_KNOWN.of(e))
                    .bind(name)
                    .bind(provider.code())
                    .bind(now.0)
                    .execute(&mut *c)
                    .await
                    .named(&SEED_MAILBOX_KNOWN)?;
            }
            Ok(())
        })
    }

    /// Every mailbox that a process has named lately.
    ///
    /// # Errors
    /// The database's; `Inconsistent`.
    pub async fn seed_mailboxes(&self) -> Result<Vec<SeedMailboxRow>> {
        let rows: Vec<MailboxRow> = read!(self, |c, e| {
            sqlx::query_as(SEED_MAILBOXES_ALL.of(e))
                .fetch_all(&mut *c)
                .await
                .named(&SEED_MAILBOXES_ALL)
        })?;
        rows.into_iter().map(MailboxRow::into_mailbox).collect()
    }
}
