//! Imports: slices of parsed contacts become rows, and an import can be taken back.
//!
//! Called by the import crate, one slice of at most 2,000 rows a transaction, so that no W2 waits long behind it.
//! Every row of a slice ends in exactly one [`RowFate`]. What must always hold: an import never re-subscribes who
//! left, never lifts a suppression, never merges two different addresses (a collision of their keyed hashes is
//! reported); and a slice that is written again, after a kill or from the same file, changes nothing and gives the same
//! fates. It does not read files.

use crate::backend::{Named, read, tx};
use crate::contacts::json;
use crate::import_fates::{self, Book, Decisions, Standing};
use crate::sql::sql;
use crate::suppressions::repeat_on_conflict;
use crate::{Error, Result, Store};
use postroad_model::{EmailAddress, ImportId, ListId, MailboxProvider, Timestamp};
use serde::Serialize;

sql! {
    both IMPORT_INSERT = "import_insert";
    both IMPORT_UNFINISHED = "import_unfinished";
    both IMPORT_FINISH = "import_finish";
    both IMPORTS_ALL = "imports_all";
    both IMPORT_GET = "import_get";
    each SUPPRESSIONS_AMONG = "suppressions_among";
    each IMPORT_ADD = "import_add";
    each IMPORT_EXISTING = "import_existing";
    each IMPORT_REMEMBER = "import_remember";
    each IMPORT_CHANGE = "import_change";
    each IMPORT_SUBSCRIBE_NEW = "import_subscribe_new";
    each IMPORT_SUBSCRIBE = "import_subscribe";
    each IMPORT_SUBSCRIBED = "import_subscribed";
}

/// Rows that one transaction of an import may have.
pub const IMPORT_SLICE: usize = 2_000;

/// An import as `contact import` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportInfo {
    /// Its number.
    pub id: ImportId,
    /// The list it went to.
    pub list: ListId,
    /// Its name, if it still stands.
    pub list_name: Option<String>,
    /// What was read.
    pub source: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When all rows were in; `None` after a kill, until the same file is imported again.
    pub finished_at: Option<Timestamp>,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
    /// Its report as JSON, once finished.
    pub summary: Option<String>,
}

/// An import that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRun {
    /// Its number.
    pub id: ImportId,
    /// The list it goes to.
    pub list: ListId,
}

/// Whether a slice is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// It is written.
    Keep,
    /// It is rolled back after its fates are known: a dry run.
    RollBack,
}

/// One row of a slice. Within a slice every hash stands once.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRow {
    /// The address.
    pub address: EmailAddress,
    /// `store.keys().address_hash(&address)`.
    pub hash: i64,
    /// Who hosts the mailbox.
    pub provider: MailboxProvider,
    /// Full name; `None` leaves what stands.
    pub name: Option<String>,
    /// A JSON object; keys that it does not have are left as they stand.
    pub attributes: String,
}

/// Rows of one transaction with their JSON, so that it can be made on another thread than the one that writes.
#[derive(Debug)]
pub struct ImportSlice {
    rows: Vec<ImportRow>,
    adds: String,
    hashes: String,
}

impl ImportSlice {
    /// Encodes at most [`IMPORT_SLICE`] rows, each hash once.
    ///
    /// # Errors
    /// `Json`.
    pub fn new(rows: Vec<ImportRow>) -> Result<Self> {
        let (adds, hashes) = (import_fates::adds(&rows)?, import_fates::hashes(&rows)?);
        Ok(Self { rows, adds, hashes })
    }

    /// The rows, in the order of the fates.
    #[must_use]
    pub fn rows(&self) -> &[ImportRow] {
        &self.rows
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowFate {
    /// A new contact.
    Added,
    /// A contact that stood got new data or came on the list.
    Updated,
    /// Everything stood already.
    Unchanged,
    /// Its data are kept, and so is the suppression that stands against the address.
    Suppressed,
    /// Its data are kept, and so is the person's wish to be off the list.
    Unsubscribed,
    /// Refused: another address has the same keyed hash.
    Collision,
}

/// The end of a slice's transaction: a dry run rolls back by an error.
enum Ended {
    Dry(Vec<RowFate>),
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Store {
    /// Begins an import, or takes up the unfinished one of the same source: `fingerprint` tells the same file from
    /// another one of the same name; `None` never takes up anything.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn begin_import(
        &self,
        list: ListId,
        source: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<ImportRun> {
        let id: i64 = tx!(self, |c, e| {
            if let Some(fingerprint) = fingerprint {
                let query = sqlx::query_scalar(IMPORT_UNFINISHED.of(e));
                let query = query.bind(list.0).bind(source).bind(fingerprint);
                let unfinished = query.fetch_optional(&mut *c).await.named(&IMPORT_UNFINISHED)?;
                if let Some(id) = unfinished {
                    return Ok(id);
                }
            }
            let query = sqlx::query_scalar(IMPORT_INSERT.of(e));
            let query = query.bind(list.0).bind(source).bind(now.0).bind(fingerprint);
            query.fetch_one(&mut *c).await.named(&IMPORT_INSERT)
        })?;
        Ok(ImportRun { id: ImportId(id), list })
    }

    /// Writes one slice; the fates are in the order of the rows.
    ///
    /// # Errors
    /// `Json`, `Statement`, `Inconsistent`.
    pub async fn import_slice(
        &self,
        run: ImportRun,
        slice: &ImportSlice,
        commit: Commit,
        now: Timestamp,
    ) -> Result<Vec<RowFate>> {
        repeat_on_conflict!(self.import_slice_once(run, slice, commit, now))
    }

    async fn import_slice_once(
        &self,
        run: ImportRun,
        slice: &ImportSlice,
        commit: Commit,
        now: Timestamp,
    ) -> Result<Vec<RowFate>> {
        match self.import_transaction(run, slice, commit, now).await {
            Ok(fates) | Err(Ended::Dry(fates)) => Ok(fates),
            Err(Ended::Failed(error)) => Err(error),
        }
    }

    async fn import_transaction(
        &self,
        run: ImportRun,
        slice: &ImportSlice,
        commit: Commit,
        now: Timestamp,
    ) -> std::result::Result<Vec<RowFate>, Ended> {
        let (id, list) = (run.id.0, run.list.0);
        tx!(self, |c, e| {
            let query = sqlx::query_scalar(SUPPRESSIONS_AMONG.of(e)).bind(&slice.hashes).bind(list);
            let suppressed: Vec<i64> = query.fetch_all(&mut *c).await.named(&SUPPRESSIONS_AMONG)?;
            let mut book = Book::new(run, suppressed);
            let query = sqlx::query(IMPORT_ADD.of(e)).bind(&slice.adds).bind(now.0).bind(id);
            let added = query.execute(&mut *c).await.named(&IMPORT_ADD)?.rows_affected();
            let fates = if added == slice.rows.len() as u64 {
                let query = sqlx::query(IMPORT_SUBSCRIBE_NEW.of(e)).bind(&slice.hashes);
                let query = query.bind(list).bind(now.0).bind(id);
                query.execute(&mut *c).await.named(&IMPORT_SUBSCRIBE_NEW)?;
                book.all_new(&slice.rows)
            } else {
                let query = sqlx::query_as(IMPORT_EXISTING.of(e)).bind(&slice.hashes);
                book.stand(query.fetch_all(&mut *c).await.named(&IMPORT_EXISTING)?);
                let mut to_do = Decisions::default();
                let mut fates = Vec::with_capacity(slice.rows.len());
                for row in &slice.rows {
                    fates.push(book.decide(row, &mut to_do)?);
                }
                if !to_do.changes.is_empty() {
                    let remember = json("contact numbers", &to_do.remember)?;
                    let query = sqlx::query(IMPORT_REMEMBER.of(e)).bind(remember).bind(id);
                    query.execute(&mut *c).await.named(&IMPORT_REMEMBER)?;
                    let changes = json("contacts", &to_do.changes)?;
                    let query = sqlx::query(IMPORT_CHANGE.of(e)).bind(changes).bind(now.0).bind(id);
                    query.execute(&mut *c).await.named(&IMPORT_CHANGE)?;
                }
                let members = json("contact numbers", &to_do.subscribe)?;
                let query = sqlx::query(IMPORT_SUBSCRIBE.of(e)).bind(&members).bind(list);
                let query = query.bind(now.0).bind(id);
                let joined = query.execute(&mut *c).await.named(&IMPORT_SUBSCRIBE)?.rows_affected();
                let mut stand: Vec<Standing> = Vec::new();
                if joined < to_do.subscribe.len() as u64 {
                    let query = sqlx::query_as(IMPORT_SUBSCRIBED.of(e)).bind(&members).bind(list);
                    stand = query.fetch_all(&mut *c).await.named(&IMPORT_SUBSCRIBED)?;
                }
                book.heed_subscriptions(&slice.rows, &stand, &mut fates);
                fates
            };
            match commit {
                Commit::Keep => Ok(fates),
                Commit::RollBack => Err(Ended::Dry(fates)),
            }
        })
    }

    /// Ends an import with its report as JSON.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn finish_import(&self, run: ImportRun, summary: &str, now: Timestamp) -> Result<()> {
        tx!(self, |c, e| {
            let query = sqlx::query(IMPORT_FINISH.of(e)).bind(run.id.0).bind(now.0).bind(summary);
            query.execute(&mut *c).await.named(&IMPORT_FINISH)?;
            Ok(())
        })
    }

    /// The latest imports first.
    ///
    /// # Errors
    /// `Statement`.
    pub async fn imports(&self, limit: u32) -> Result<Vec<ImportInfo>> {
        let rows: Vec<ImportInfoRow> = read!(self, |c, e| {
            sqlx::query_as(IMPORTS_ALL.of(e))
                .bind(i64::from(limit))
                .fetch_all(&mut *c)
                .await
                .named(&IMPORTS_ALL)
        })?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One import.
    ///
    /// # Errors
    /// `NotFound`, `Statement`.
    pub async fn import(&self, id: ImportId) -> Result<ImportInfo> {
        let row: Option<ImportInfoRow> = read!(self, |c, e| {
            let query = sqlx::query_as(IMPORT_GET.of(e)).bind(id.0);
            query.fetch_optional(&mut *c).await.named(&IMPORT_GET)
        })?;
        row.map(Into::into).ok_or_else(|| Error::NotFound {
            kind: "import",
            name: id.to_string(),
            hint: "; each import prints its number when it ends".into(),
        })
    }
}

type ImportInfoRow =
    (i64, i64, Option<String>, String, i64, Option<i64>, Option<i64>, Option<String>);

impl From<ImportInfoRow> for ImportInfo {
    fn from(row: ImportInfoRow) -> Self {
        let (id, list, list_name, source, started_at, finished_at, undone_at, summary) = row;
        Self {
            id: ImportId(id),
            list: ListId(list),
            list_name,
            source,
            started_at: Timestamp(started_at),
            finished_at: finished_at.map(Timestamp),
            undone_at: undone_at.map(Timestamp),
            summary: summary.filter(|_| finished_at.is_some()),
        }
    }
}
