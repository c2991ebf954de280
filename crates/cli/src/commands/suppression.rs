//! `suppression add|remove|list|import|export`.

use super::contact::parse_address;
use crate::app::{App, Opened, Runs};
use crate::args::{
    SuppressionAddArgs, SuppressionCommand, SuppressionImportArgs, SuppressionListArgs,
    SuppressionRemoveArgs, Why,
};
use crate::exit::{Exit, Fault};
use crate::output::{Table, lines};
use anyhow::Result;
use postroad_model::SuppressionId;
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_store::{Store, Suppressed, Suppression};
use serde_json::json;
use std::io::Write as _;

/// Suppressions read at once.
const PAGE: u32 = 1_000;

pub async fn run(app: &App, command: &SuppressionCommand) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let exit = match command {
        SuppressionCommand::Add(args) => add(app, &opened, args).await,
        SuppressionCommand::Remove(args) => remove(app, &opened, args).await,
        SuppressionCommand::List(args) => list(app, &opened, args).await,
        SuppressionCommand::Import(args) => import(app, &opened, args).await,
        SuppressionCommand::Export => export(app, &opened).await,
    }?;
    opened.close().await;
    Ok(exit)
}

fn reason(why: Why) -> SuppressionReason {
    match why {
        Why::Manual => SuppressionReason::Manual,
        Why::HardBounce => SuppressionReason::HardBounce,
        Why::Complaint => SuppressionReason::Complaint,
        Why::Unsubscribe => SuppressionReason::Unsubscribe,
    }
}

async fn scope(store: &Store, list: Option<&str>) -> Result<SuppressionScope> {
    Ok(match list {
        None => SuppressionScope::All,
        Some(name) => SuppressionScope::List(store.list_id(name).await?),
    })
}

fn said(done: &Suppressed) -> String {
    format!("{} added, {} waiting deliveries stopped", done.added, done.stopped)
}

async fn add(app: &App, opened: &Opened, args: &SuppressionAddArgs) -> Result<Exit> {
    let scope = scope(&opened.store, args.list.as_deref()).await?;
    let at = app.now();
    let new = args
        .addresses
        .iter()
        .map(|text| {
            let (address, origin) = (parse_address(text)?, "cli".to_owned());
            Ok(NewSuppression { address, scope, reason: reason(args.reason), origin, at })
        })
        .collect::<Result<Vec<_>>>()?;
    let done = opened.store.suppress_many(&new).await?;
    app.output.show(&done, said)?;
    Ok(Exit::Ok)
}

async fn remove(app: &App, opened: &Opened, args: &SuppressionRemoveArgs) -> Result<Exit> {
    let address = parse_address(&args.address)?;
    let scope = scope(&opened.store, args.list.as_deref()).await?;
    if !opened.store.unsuppress(&address, scope).await? {
        return Err(Fault::no_input(format!(
            "nothing of that scope suppresses {address}; `postroad suppression list --address {address}` shows what does"
        ))
        .into());
    }
    app.output.show(&json!({ "address": address.to_string(), "removed": true }), |_| {
        format!("{address} may be mailed again; who unsubscribed from a list stays unsubscribed")
    })?;
    Ok(Exit::Ok)
}

async fn list(app: &App, opened: &Opened, args: &SuppressionListArgs) -> Result<Exit> {
    let names = opened.store.lists().await?;
    let name = |scope: SuppressionScope| match scope {
        SuppressionScope::All => "everywhere".to_owned(),
        SuppressionScope::List(id) => {
            let found = names.iter().find(|l| l.id == id);
            found.map_or_else(|| format!("list {id}"), |l| format!("list {}", l.name))
        }
    };
    if let Some(address) = &args.address {
        let found = opened.store.suppressions_against(&parse_address(address)?).await?;
        show(app, &found, name)?;
        return Ok(Exit::Ok);
    }
    let mut after = SuppressionId(0);
    loop {
        let page = opened.store.suppressions(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(Exit::Ok) };
        after = last.id;
        show(app, &page, name)?;
    }
}

/// A line of JSON for each, or a table.
fn show(app: &App, page: &[Suppression], name: impl Fn(SuppressionScope) -> String) -> Result<()> {
    if !app.output.is_json() {
        return app.output.data(&table(page, name));
    }
    let mut out = lines();
    for suppression in page {
        serde_json::to_writer(&mut out, suppression)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

fn table(page: &[Suppression], name: impl Fn(SuppressionScope) -> String) -> String {
    if page.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["address", "where", "why", "since", "origin"]);
    for s in page {
        table.row([
            s.address.clone().unwrap_or_else(|| "(erased)".into()),
            name(s.scope),
            format!("{:?}", s.reason),
            s.at.rfc3339(),
            s.origin.clone(),
        ]);
    }
    table.to_string()
}

async fn import(app: &App, opened: &Opened, args: &SuppressionImportArgs) -> Result<Exit> {
    let scope = scope(&opened.store, args.list.as_deref()).await?;
    super::contact_import::suppressions(app, opened, &args.file, scope, reason(args.reason)).await
}

async fn export(app: &App, opened: &Opened) -> Result<Exit> {
    if app.output.is_json() {
        return list(app, opened, &SuppressionListArgs { address: None }).await;
    }
    super::contact_import::export_suppressions(&opened.store).await?;
    Ok(Exit::Ok)
}
