//! `contact export|show|erase`.

use super::bounce_list::EventLine;
use crate::app::{App, Runs};
use crate::args::{AddressArgs, ContactExportArgs, EraseArgs};
use crate::exit::{Exit, Fault};
use crate::output::{lines, printable};
use anyhow::{Context as _, Result};
use postroad_model::EmailAddress;
use postroad_store::{BounceFilter, ContactRecord};
use serde::Serialize;
use std::io::Write as _;

/// An address from the command line.
pub fn parse_address(text: &str) -> Result<EmailAddress> {
    EmailAddress::parse(text).with_context(|| format!("{text:?} is no e-mail address"))
}

pub async fn show(app: &App, args: &AddressArgs) -> Result<Exit> {
    let address = parse_address(&args.address)?;
    let opened = app.open(Runs::Briefly).await?;
    match opened.store.contact(&address).await? {
        Some(contact) => {
            let filter = BounceFilter { address: Some(&address), ..BounceFilter::default() };
            let events = opened.store.bounce_events(filter, i64::MAX, EVENTS).await?;
            let shown = Shown { contact, came_back: super::bounce_list::lines(&events) };
            app.output.show(&shown, |s| text(&s.contact) + &came_back(&s.came_back))?;
        }
        None => {
            let against = opened.store.suppressions_against(&address).await?;
            let more = if against.is_empty() { "" } else { "; a suppression stands against it" };
            return Err(Fault::no_input(format!("{address} is no contact{more}")).into());
        }
    }
    opened.close().await;
    Ok(Exit::Ok)
}

/// Of what came back the newest are shown.
const EVENTS: i64 = 20;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    contact: ContactRecord,
    came_back: Vec<EventLine>,
}

fn came_back(events: &[EventLine]) -> String {
    let line = |e: &EventLine| {
        let campaign = e.campaign.as_deref().unwrap_or("-");
        format!("came back  {} in {campaign}: {}\n", e.at, printable(&e.words()))
    };
    events.iter().map(line).collect()
}

fn text(contact: &ContactRecord) -> String {
    let or_none = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".into());
    let mut text = format!(
        "address    {}\nname       {}\nprovider   {}\nmade       {}\nchanged    {}\n",
        printable(contact.address.as_deref().unwrap_or("(erased)")),
        printable(&or_none(&contact.name)),
        contact.provider.as_str(),
        contact.created_at,
        contact.updated_at,
    );
    if let Some(at) = contact.erased_at {
        text.push_str(&format!("erased     {at}\n"));
    }
    for (name, value) in &contact.attributes {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("attribute  {} = {}\n", printable(name), printable(&value)));
    }
    for s in &contact.subscriptions {
        let state = format!("{:?}", s.state).to_lowercase();
        text.push_str(&format!(
            "list       {}: {state} since {}\n",
            printable(&s.list_name),
            s.since
        ));
    }
    for s in &contact.suppressions {
        text.push_str(&format!(
            "suppressed {:?} since {} ({}, {:?})\n",
            s.reason,
            s.at,
            printable(&s.origin),
            s.scope
        ));
    }
    text
}

pub async fn erase(app: &App, args: &EraseArgs) -> Result<Exit> {
    let address = parse_address(&args.address)?;
    let opened = app.open(Runs::Briefly).await?;
    if !args.yes {
        let known = opened.store.contact(&address).await?.is_some();
        let what = if known {
            "its name, attributes and address, here and in past deliveries"
        } else {
            "nothing yet, for it is no contact, but it would never be mailed"
        };
        return Err(Fault::usage(format!(
            "would erase {address}: {what}. This cannot be undone; say --yes to do it"
        ))
        .into());
    }
    let done = opened.store.erase_contact(&address, "cli", app.now()).await?;
    app.output.show(&done, |done| {
        format!(
            "{} contact erased, {} waiting deliveries stopped, {} past deliveries made nameless",
            done.contacts, done.stopped, done.deliveries
        )
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

pub async fn export(app: &App, args: &ContactExportArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    if app.output.is_json() {
        let list = match &args.list {
            Some(name) => Some(opened.store.list_id(name).await?),
            None => None,
        };
        json_lines(&opened.store, list).await?;
    } else {
        super::contact_import::export(&opened.store, args.list.as_deref()).await?;
    }
    opened.close().await;
    Ok(Exit::Ok)
}

/// Contacts read at once.
const PAGE: u32 = 1_000;

async fn json_lines(
    store: &postroad_store::Store,
    list: Option<postroad_model::ListId>,
) -> Result<()> {
    let mut after = postroad_model::ContactId(0);
    loop {
        let page = store.export_contacts(list, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        let mut out = lines();
        for contact in &page {
            serde_json::to_writer(&mut out, contact)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
    }
}
