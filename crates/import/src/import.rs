//! The import itself: one thread reads, the task writes, a channel of one window between them.
//!
//! Called by cli (`contact import`). Before anything is written the columns are known and the list is found; from then
//! on each slice is durable by itself, and the same file imported again, after a kill or a full disk, completes it and
//! reports as if nothing had happened. A dry run goes the same way and rolls every slice back. It reads no clock: the
//! time is asked of the one it is given.

use crate::charset::Charset;
use crate::columns::Columns;
use crate::mapping::Mapping;
use crate::person::PersonReader;
use crate::rejects::{Reason, Rejects};
use crate::report::{ImportReport, Tally};
pub use crate::source::Input;
use crate::source::Source;
use crate::table::{Delimiter, Found, Table};
use crate::window::{Window, Windows};
use crate::{Error, Result};
use postroad_model::{Clock, ImportId, ListId};
use postroad_store::{Commit, ImportRun, RowFate, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// What happens when the list is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingList {
    /// An error that names the lists that there are.
    #[default]
    Refuse,
    /// It is made.
    Create,
}

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The list's name.
    pub list: String,
    /// When there is none of that name.
    pub missing_list: MissingList,
    /// `--map`.
    pub mapping: Mapping,
    /// `--charset`; otherwise it is detected.
    pub charset: Option<Charset>,
    /// `--delimiter`; otherwise it is sniffed.
    pub delimiter: Option<Delimiter>,
    /// Where refused rows go; a dry run writes none.
    pub rejects: Option<PathBuf>,
    /// `RollBack` is a dry run.
    pub commit: Commit,
}

impl ImportOptions {
    /// Detects everything, writes, refuses an unknown list.
    #[must_use]
    pub fn to_list(list: impl Into<String>) -> Self {
        Self {
            list: list.into(),
            missing_list: MissingList::Refuse,
            mapping: Mapping::default(),
            charset: None,
            delimiter: None,
            rejects: None,
            commit: Commit::Keep,
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets read, as they lie in the file (packed ones where it is packed).
    pub bytes_read: u64,
    /// Octets of the file; unknown for a stream.
    pub bytes_total: Option<u64>,
    /// Rows read.
    pub rows: u64,
}

/// Imports people from a file or stream into a list.
///
/// # Errors
/// Nothing is written before the columns are known and the list is found; after that the rows before the error are in,
/// and the same call completes them.
pub async fn import_contacts(
    input: Input,
    options: &ImportOptions,
    store: &Store,
    clock: &dyn Clock,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ImportReport> {
    let name = input.name();
    let Opened { reader, total, read, fingerprint } = open(input, options, store).await?;
    let run = begin(&name, fingerprint.as_deref(), options, store, clock).await?;
    let mut report = reader.report(run, options);
    let rows_read = Arc::clone(&reader.rows);
    let (sender, mut windows) = mpsc::channel(1);
    let task = tokio::task::spawn_blocking(move || reader.run(&sender));
    let mut collisions = Vec::new();
    while let Some(window) = windows.recv().await {
        write(window, run, options.commit, store, clock, &mut |fate_of_slice: Vec<Fate>| {
            for fate in fate_of_slice {
                fate.count(&mut report.tally, &mut collisions);
            }
            progress(Progress {
                bytes_read: read.load(Ordering::Relaxed),
                bytes_total: total,
                rows: rows_read.load(Ordering::Relaxed),
            });
        })
        .await?;
    }
    let mut read_all = task.await.map_err(|_| Error::Reader(name))??;
    for (line, address) in collisions {
        read_all.rejects.text(line, &Reason::Collision, &address)?;
    }
    report.rejects_file = read_all.rejects.close()?;
    report.tally.rows = read_all.rows;
    report.tally.rejected = read_all.rejects.count;
    report.charset = read_all.charset.name();
    report.unreadable = read_all.malformed;
    report.reasons = read_all.rejects.kinds;
    report.first_rejected = read_all.rejects.first;
    if let Some(id) = report.import {
        let summary = serde_json::to_string(&report).map_err(|source| {
            postroad_store::Error::Json { what: "the import's report", source }
        })?;
        store.finish_import(ImportRun { id, list: run.list }, &summary, clock.now()).await?;
    }
    Ok(report)
}

/// A file whose columns are known.
struct Opened {
    reader: Reader,
    total: Option<u64>,
    read: Arc<AtomicU64>,
    fingerprint: Option<String>,
}

async fn open(input: Input, options: &ImportOptions, store: &Store) -> Result<Opened> {
    let looked_up = store.domain_providers().await?;
    let keys = store.keys().clone();
    let options = options.clone();
    let name = input.name();
    let opening = tokio::task::spawn_blocking(move || {
        let source = Source::open(input)?;
        let (total, read) = (source.total, Arc::clone(&source.read));
        let fingerprint = source.fingerprint.clone();
        let (table, columns) =
            open_table(source, options.charset, options.delimiter, &options.mapping)?;
        let rejects = options.rejects.filter(|_| options.commit == Commit::Keep);
        let rejects = Rejects::new(rejects, columns.names.clone())?;
        let people = PersonReader::new(columns, keys, looked_up);
        let reader = Reader { table, people, rejects, rows: Arc::default() };
        Ok(Opened { reader, total, read, fingerprint })
    });
    opening.await.map_err(|_| Error::Reader(name))?
}

/// Opens a table and reads its header.
pub(crate) fn open_table(
    source: Source,
    charset: Option<Charset>,
    delimiter: Option<Delimiter>,
    mapping: &Mapping,
) -> Result<(Table, Columns)> {
    let mut table = Table::open(source, charset, delimiter)?;
    let sample = table.peek()?;
    if sample.is_empty() && table.next()?.is_some() {
        let what =
            "a file whose first line is longer than 1 MiB or opens a quotation that never ends";
        return Err(Error::Binary { name: table.name, what });
    }
    let columns = Columns::plan(&table.name, &sample, mapping)?;
    if columns.has_header {
        table.next()?;
    }
    Ok((table, columns))
}

async fn begin(
    name: &str,
    fingerprint: Option<&str>,
    options: &ImportOptions,
    store: &Store,
    clock: &dyn Clock,
) -> Result<ImportRun> {
    let list = match (store.list_id(&options.list).await, options.missing_list, options.commit) {
        (Ok(list), _, _) => list,
        (Err(postroad_store::Error::NotFound { .. }), MissingList::Create, Commit::Keep) => {
            store.create_list(&options.list, None, clock.now()).await?
        }
        // A dry run against a list that will be made: nobody is on it.
        (Err(postroad_store::Error::NotFound { .. }), MissingList::Create, Commit::RollBack) => {
            ListId(-1)
        }
        (Err(error), _, _) => return Err(error.into()),
    };
    match options.commit {
        Commit::Keep => Ok(store.begin_import(list, name, fingerprint, clock.now()).await?),
        Commit::RollBack => Ok(ImportRun { id: ImportId(-1), list }),
    }
}

/// What became of some rows of a slice.
enum Fate {
    Row(RowFate),
    Merged(u64),
    Collision(u64, String),
}

impl Fate {
    fn count(self, tally: &mut Tally, collisions: &mut Vec<(u64, String)>) {
        match self {
            Self::Row(fate) => tally.count(fate),
            Self::Merged(n) => tally.merged += n,
            Self::Collision(line, address) => collisions.push((line, address)),
        }
    }
}

async fn write(
    window: Window,
    run: ImportRun,
    commit: Commit,
    store: &Store,
    clock: &dyn Clock,
    done: &mut (dyn FnMut(Vec<Fate>) + Send),
) -> Result<()> {
    let mut fates = vec![Fate::Merged(window.merged)];
    fates.extend(window.collisions.into_iter().map(|(line, a)| Fate::Collision(line, a)));
    done(fates);
    let mut marks = window.marks.as_slice();
    for slice in &window.slices {
        let fates = store.import_slice(run, slice, commit, clock.now()).await?;
        let (of_slice, rest) = marks.split_at(slice.rows().len());
        marks = rest;
        let rows = slice.rows().iter().zip(of_slice);
        let fates = fates.into_iter().zip(rows).map(|(fate, (row, mark))| {
            if fate == RowFate::Collision {
                Fate::Collision(mark.line, row.address.to_string())
            } else if mark.seen_before {
                Fate::Merged(1)
            } else {
                Fate::Row(fate)
            }
        });
        done(fates.collect());
    }
    Ok(())
}

/// The reading side.
struct Reader {
    table: Table,
    people: PersonReader,
    rejects: Rejects,
    rows: Arc<AtomicU64>,
}

/// What the reading side knows at the end.
struct ReadAll {
    rejects: Rejects,
    rows: u64,
    charset: Charset,
    malformed: u64,
}

impl Reader {
    fn report(&self, run: ImportRun, options: &ImportOptions) -> ImportReport {
        ImportReport {
            import: (options.commit == Commit::Keep).then_some(run.id),
            list: options.list.clone(),
            source: self.table.name.clone(),
            charset: self.table.charset().name(),
            delimiter: self.table.delimiter.name(),
            columns: self.people.columns.uses.clone(),
            tally: Tally::default(),
            unreadable: 0,
            reasons: std::collections::BTreeMap::new(),
            first_rejected: Vec::new(),
            rejects_file: None,
        }
    }

    fn run(mut self, windows: &mpsc::Sender<Window>) -> Result<ReadAll> {
        let mut collected = Windows::default();
        let mut rows = 0;
        while let Some(found) = self.table.next()? {
            rows += 1;
            self.rows.store(rows, Ordering::Relaxed);
            match found {
                Found::Row { line } => match self.people.read(&self.table.fields) {
                    Ok(row) => {
                        if let Some(window) = collected.push(row, line)?
                            && windows.blocking_send(window).is_err()
                        {
                            // The writing side failed and says why.
                            break;
                        }
                    }
                    Err(refused) => {
                        self.rejects.row(
                            line,
                            refused.column,
                            &refused.reason,
                            &self.table.fields,
                        )?;
                    }
                },
                Found::Bad { line, fault, start } => {
                    self.rejects.text(line, &fault.into(), &start)?;
                }
            }
        }
        // Refused by nobody but a writing side that failed and says why.
        let _ = windows.blocking_send(collected.take()?);
        Ok(ReadAll {
            rejects: self.rejects,
            rows,
            charset: self.table.charset(),
            malformed: self.table.malformed(),
        })
    }
}
