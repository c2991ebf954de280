//! `contact import`, `contact undo-import`, and what else reads or writes CSV.

use crate::app::{App, Opened, Runs};
use crate::args::{ImportArgs, UndoImportArgs};
use crate::exit::Exit;
use crate::output::{Table, printable};
use crate::progress::Progress;
use anyhow::Result;
use postroad_import::{
    Charset, Delimiter, ImportOptions, ImportReport, Input, MissingList, Rejection,
    SuppressionOptions, SuppressionReport, UsedAs, import_contacts, import_suppressions,
};
use postroad_model::ImportId;
use postroad_model::suppression::{SuppressionReason, SuppressionScope};
use postroad_store::{Commit, Store, UndoReport};
use std::path::PathBuf;

/// A file, or stdin for `-`.
fn input(file: &str) -> Input {
    if file == "-" {
        Input::Stream { name: "stdin".into(), reader: Box::new(std::io::stdin()) }
    } else {
        Input::File(PathBuf::from(file))
    }
}

/// `FILE.rejects.csv`; what came from stdin has a name in the current folder.
fn rejects_of(file: &str) -> PathBuf {
    if file == "-" { "stdin.rejects.csv".into() } else { format!("{file}.rejects.csv").into() }
}

pub async fn import(app: &App, args: ImportArgs) -> Result<Exit> {
    super::list::check_name(&args.list)?;
    let options = ImportOptions {
        list: args.list,
        missing_list: MissingList::Create,
        mapping: args.map.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
        charset: args.charset.as_deref().map(Charset::from_label).transpose()?,
        delimiter: args.delimiter.as_deref().map(Delimiter::from_text).transpose()?,
        rejects: Some(args.rejects.unwrap_or_else(|| rejects_of(&args.file))),
        commit: if args.dry_run { Commit::RollBack } else { Commit::Keep },
    };
    let opened = app.open(Runs::Briefly).await?;
    let report = run_import(app, &opened, input(&args.file), &options).await?;
    app.output.show(&report, summary)?;
    if let (Some(id), true) = (report.import, report.tally.added + report.tally.updated > 0) {
        app.output.say(format!("`postroad contact undo-import {id}` takes it back"));
    }
    opened.close().await;
    Ok(Exit::Ok)
}

/// An import with its progress on the terminal.
pub async fn run_import(
    app: &App,
    opened: &Opened,
    input: Input,
    options: &ImportOptions,
) -> Result<ImportReport> {
    let total = match &input {
        Input::File(path) => std::fs::metadata(path).ok().map(|m| m.len()),
        Input::Stream { .. } => None,
    };
    let bar = Progress::bytes(app.output, total);
    let mut tick = |p: postroad_import::Progress| {
        bar.at(p.bytes_read);
        bar.message(format!("{} rows", p.rows));
    };
    let done = import_contacts(input, options, &opened.store, &*app.clock, &mut tick).await;
    bar.done();
    Ok(done?)
}

fn summary(report: &ImportReport) -> String {
    let t = &report.tally;
    let mut text = match report.import {
        Some(id) => format!("Import {id} of {} into list {}", report.source, report.list),
        None => {
            format!("Dry run of {} into list {}; nothing was written", report.source, report.list)
        }
    };
    text.push_str(&format!("\n{}, separated by {}\n\n", report.charset, report.delimiter));
    let mut table = Table::new(&["column", "is"]);
    for column in &report.columns {
        let used = match &column.used_as {
            UsedAs::Email => "the address".to_owned(),
            UsedAs::Name => "the name".to_owned(),
            UsedAs::Attribute(name) => format!("attribute {name}"),
            UsedAs::Attributes => "attributes in JSON".to_owned(),
            UsedAs::OptOut => "a mark that the person left".to_owned(),
            UsedAs::Skipped => "not used".to_owned(),
        };
        table.row([column.column.clone(), used]);
    }
    text.push_str(&format!("{table}\n"));
    let mut table = Table::new(&["rows", "#"]);
    for (name, n) in [
        ("added", t.added),
        ("updated", t.updated),
        ("unchanged", t.unchanged),
        ("merged with an earlier row", t.merged),
        ("suppressed, and stay so", t.suppressed),
        ("unsubscribed, and stay so", t.unsubscribed),
        ("rejected", t.rejected),
        ("all", t.rows),
    ] {
        table.row([name.to_owned(), n.to_string()]);
    }
    text.push_str(&table.to_string());
    if report.unreadable > 0 {
        text.push_str(&format!(
            "\n{} places could not be read as {}; --charset names another\n",
            report.unreadable, report.charset
        ));
    }
    text.push_str(&refused(&report.first_rejected, t.rejected, report.rejects_file.as_ref()));
    text
}

/// Rejected rows shown at once.
const SHOWN: usize = 5;

fn refused(first: &[Rejection], all: u64, file: Option<&PathBuf>) -> String {
    if all == 0 {
        return String::new();
    }
    let mut text = String::from("\nRejected:\n");
    for r in first.iter().take(SHOWN) {
        let column = if r.column.is_empty() {
            String::new()
        } else {
            format!(", column {}", printable(&r.column))
        };
        text.push_str(&format!("  line {}{column}: {}\n", r.line, printable(&r.reason)));
    }
    if let Some(file) = file {
        text.push_str(&format!(
            "All of them are in {}; correct them there and import that file\n",
            file.display()
        ));
    }
    text
}

pub async fn undo(app: &App, args: &UndoImportArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let report = opened.store.undo_import(ImportId(args.id), app.now()).await?;
    app.output.show(&report, undone)?;
    opened.close().await;
    Ok(Exit::Ok)
}

fn undone(report: &UndoReport) -> String {
    if let Some(at) = report.undone_before {
        return format!("import {} was undone before, at {at}; nothing was done", report.import);
    }
    let mut table = Table::new(&["contacts", "#"]);
    for (name, n) in [
        ("removed", report.removed),
        ("taken off the list", report.taken_off),
        ("unsubscribed, for they have had mail of it", report.unsubscribed),
        ("kept, for they left or were erased themselves", report.kept),
        ("given back their former data", report.restored),
        ("changed since, and left so", report.changed_since),
    ] {
        table.row([name.to_owned(), n.to_string()]);
    }
    let stopped = report.stopped;
    format!("Import {} is undone\n\n{table}{stopped} waiting deliveries stopped\n", report.import)
}

/// `contact export` as CSV.
pub async fn export(store: &Store, list: Option<&str>) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout());
    postroad_import::export_contacts(store, list, &mut out).await?;
    std::io::Write::flush(&mut out)?;
    Ok(())
}

/// `suppression export` as CSV.
pub async fn export_suppressions(store: &Store) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout());
    postroad_import::export_suppressions(store, &mut out).await?;
    std::io::Write::flush(&mut out)?;
    Ok(())
}

/// `suppression import`.
pub async fn suppressions(
    app: &App,
    opened: &Opened,
    file: &str,
    scope: SuppressionScope,
    reason: SuppressionReason,
) -> Result<Exit> {
    let options = SuppressionOptions {
        scope,
        reason,
        mapping: postroad_import::Mapping::default(),
        charset: None,
        delimiter: None,
        rejects: Some(rejects_of(file)),
    };
    let bar = Progress::bytes(app.output, None);
    let mut tick = |p: postroad_import::Progress| bar.at(p.bytes_read);
    let done =
        import_suppressions(input(file), &options, &opened.store, &*app.clock, &mut tick).await;
    bar.done();
    app.output.show(&done?, |r: &SuppressionReport| {
        format!(
            "{} rows: {} added, {} stood already, {} rejected; {} waiting deliveries stopped\n{}",
            r.rows,
            r.added,
            r.standing,
            r.rejected,
            r.stopped,
            refused(&r.first_rejected, r.rejected, r.rejects_file.as_ref())
        )
    })?;
    Ok(Exit::Ok)
}
