//! Once-only jobs: rows whose lease one node holds at a time, with an epoch that fences off a slower holder.
//!
//! The freeze of an audience is one. A job that was killed is taken again when its lease has run out (at once by
//! the node that held it) and finds its own notes.

use crate::backend::{Named, tx};
use crate::sql::sql;
use crate::{Result, Store};
use postroad_model::{NodeId, Timestamp};

sql! {
    both JOB_TAKE = "job_take";
    both JOB_HOLD = "job_hold";
    both JOB_DONE = "job_done";
}

/// How long a job's lease lasts without progress.
pub const JOB_LEASE_MS: i64 = 60_000;

/// A job that this node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLease {
    /// Its name.
    pub name: String,
    /// The holder.
    pub node: NodeId,
    /// Serial of this taking.
    pub epoch: i64,
    /// What an earlier holder noted.
    pub note: Option<String>,
}

/// Extends a job's lease with a note inside a `tx!` body; `JobLost` when another node took it.
macro_rules! hold_job {
    ($c:expr, $e:expr, $job:expr, $note:expr, $now:expr) => {{
        let note: Option<&str> = $note;
        let done = sqlx::query($crate::jobs::JOB_HOLD.of($e))
            .bind(&$job.name)
            .bind($job.node.0)
            .bind($job.epoch)
            .bind($now.plus_ms($crate::jobs::JOB_LEASE_MS).0)
            .bind(note)
            .execute(&mut *$c)
            .await
            .named(&$crate::jobs::JOB_HOLD)?;
        if done.rows_affected() == 0 {
            return Err($crate::Error::JobLost { job: $job.name.clone() });
        }
    }};
}
pub(crate) use hold_job;

impl Store {
    /// Takes a once-only job; `None` when it is done or another node works on it.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_job(
        &self,
        name: &str,
        node: NodeId,
        now: Timestamp,
    ) -> Result<Option<JobLease>> {
        tx!(self, |c, e| {
            let row: Option<(i64, Option<String>)> = sqlx::query_as(JOB_TAKE.of(e))
                .bind(name)
                .bind(node.0)
                .bind(now.0)
                .bind(now.plus_ms(JOB_LEASE_MS).0)
                .fetch_optional(&mut *c)
                .await
                .named(&JOB_TAKE)?;
            Ok(row.map(|(epoch, note)| JobLease { name: name.to_owned(), node, epoch, note }))
        })
    }

    /// Extends a job's lease.
    ///
    /// # Errors
    /// `JobLost` when another node took it.
    pub async fn extend_job(&self, job: &JobLease, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            hold_job!(c, e, job, None, now);
            Ok(())
        })
    }

    /// Extends a job's lease and notes how far it is.
    ///
    /// # Errors
    /// `JobLost` when another node took it.
    pub async fn note_job(&self, job: &JobLease, note: &str, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            hold_job!(c, e, job, Some(note), now);
            Ok(())
        })
    }

    /// Lets any node take a job at once, with a new note or the one that it has. A job that was lost is nobody's to
    /// release.
    ///
    /// # Errors
    /// The database's.
    pub async fn release_job(
        &self,
        job: &JobLease,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        tx!(self, |c, e| {
            sqlx::query(JOB_HOLD.of(e))
                .bind(&job.name)
                .bind(job.node.0)
                .bind(job.epoch)
                .bind(now.0)
                .bind(note)
                .execute(&mut *c)
                .await
                .named(&JOB_HOLD)
                .map(drop)
        })
    }

    /// Marks a job as done for good.
    ///
    /// # Errors
    /// `JobLost` when another node took it.
    pub async fn finish_job(&self, job: &JobLease, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            let done = sqlx::query(JOB_DONE.of(e))
                .bind(&job.name)
                .bind(job.node.0)
                .bind(job.epoch)
                .bind(now.0)
                .execute(&mut *c)
                .await
                .named(&JOB_DONE)?;
            if done.rows_affected() == 0 {
                return Err(crate::Error::JobLost { job: job.name.clone() });
            }
            Ok(())
        })
    }
}
