//! Suppressions out of a file: bounces and complaints of another program, people who wrote a letter.
//!
//! Called by cli (`suppression import`). The same tables as an import reads, of which only the address column counts; a
//! bare list of addresses will do. Slices are durable one by one, and the same file again adds nothing.

use crate::charset::Charset;
use crate::import::{Input, Progress, open_table};
use crate::mapping::Mapping;
use crate::person::PersonReader;
use crate::rejects::{Rejection, Rejects};
use crate::source::Source;
use crate::table::{Delimiter, Found, Table};
use crate::{Error, Result};
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::{Clock, EmailAddress};
use postroad_store::Store;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// Addresses between the reading thread and the database.
const BATCH: usize = 500;

/// How to import suppressions.
#[derive(Debug, Clone)]
pub struct SuppressionOptions {
    /// Where they hold.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// `--map`: only `email` counts.
    pub mapping: Mapping,
    /// `--charset`.
    pub charset: Option<Charset>,
    /// `--delimiter`.
    pub delimiter: Option<Delimiter>,
    /// Where refused rows go.
    pub rejects: Option<PathBuf>,
}

/// What it did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SuppressionReport {
    /// Rows with something in them.
    pub rows: u64,
    /// New suppressions.
    pub added: u64,
    /// Addresses that were suppressed already, or stand in the file twice.
    pub standing: u64,
    /// Rows without a usable address.
    pub rejected: u64,
    /// Waiting deliveries that were stopped.
    pub stopped: u64,
    /// The first refused rows.
    pub first_rejected: Vec<Rejection>,
    /// Where the refused rows are.
    pub rejects_file: Option<PathBuf>,
}

/// Suppresses every address of a file or stream.
///
/// # Errors
/// As [`crate::import_contacts`].
pub async fn import_suppressions(
    input: Input,
    options: &SuppressionOptions,
    store: &Store,
    clock: &dyn Clock,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<SuppressionReport> {
    let name = input.name();
    let origin = format!("import {name}");
    let keys = store.keys().clone();
    let settings = options.clone();
    let (sender, mut batches) = mpsc::channel(2);
    let task = tokio::task::spawn_blocking(move || {
        let source = Source::open(input)?;
        let (total, read) = (source.total, source.read.clone());
        let (table, columns) =
            open_table(source, settings.charset, settings.delimiter, &settings.mapping)?;
        let rejects = Rejects::new(settings.rejects, columns.names.clone())?;
        let people = PersonReader::new(columns, keys, HashMap::new());
        run(table, &people, rejects, &|rows, batch| {
            let progress =
                Progress { bytes_read: read.load(Ordering::Relaxed), bytes_total: total, rows };
            sender.blocking_send((progress, batch)).is_ok()
        })
    });
    let (mut added, mut stopped) = (0, 0);
    while let Some((reached, batch)) = batches.recv().await {
        let at = clock.now();
        let new = |address| NewSuppression {
            address,
            scope: options.scope,
            reason: options.reason,
            origin: origin.clone(),
            at,
        };
        let all: Vec<NewSuppression> = batch.into_iter().map(new).collect();
        let done = store.suppress_many(&all).await?;
        added += done.added;
        stopped += done.stopped;
        progress(reached);
    }
    let mut report = task.await.map_err(|_| Error::Reader(name))??;
    report.added = added;
    report.stopped = stopped;
    report.standing = report.rows - report.rejected - added;
    Ok(report)
}

/// Reads to the end; `send` says whether anybody still listens.
fn run(
    mut table: Table,
    people: &PersonReader,
    mut rejects: Rejects,
    send: &dyn Fn(u64, Vec<EmailAddress>) -> bool,
) -> Result<SuppressionReport> {
    let (mut rows, mut batch) = (0, Vec::with_capacity(BATCH));
    while let Some(found) = table.next()? {
        rows += 1;
        match found {
            Found::Row { line } => match people.address(&table.fields) {
                Ok((address, _)) => batch.push(address),
                Err(refused) => {
                    rejects.row(line, refused.column, &refused.reason, &table.fields)?;
                }
            },
            Found::Bad { line, fault, start } => {
                rejects.text(line, &fault.into(), &start)?;
            }
        }
        if batch.len() == BATCH && !send(rows, std::mem::take(&mut batch)) {
            break;
        }
    }
    if !batch.is_empty() {
        send(rows, batch);
    }
    Ok(SuppressionReport {
        rows,
        rejected: rejects.count,
        rejects_file: rejects.close()?,
        first_rejected: std::mem::take(&mut rejects.first),
        ..SuppressionReport::default()
    })
}
