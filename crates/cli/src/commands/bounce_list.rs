//! `bounce list|review`: what came back, and what nobody understood.

use super::contact::parse_address;
use crate::app::{App, Opened, Runs};
use crate::args::{BounceListArgs, KindArg, ReviewArgs};
use crate::exit::{Exit, Fault};
use crate::output::{Table, lines as out_lines};
use anyhow::Result;
use postroad_model::verdict::BounceKind;
use postroad_model::{MailboxProvider, Timestamp};
use postroad_store::{BounceEvent, BounceFilter};
use serde::Serialize;
use std::io::Write as _;

/// One event as it is shown.
#[derive(Debug, Serialize)]
pub struct EventLine {
    pub at: String,
    pub what: String,
    pub kind: Option<String>,
    pub reason: Option<String>,
    pub recipient: Option<String>,
    pub campaign: Option<String>,
    pub relay: Option<String>,
    pub provider: Option<&'static str>,
    pub details: serde_json::Value,
}

impl EventLine {
    /// What happened, in a line.
    pub fn words(&self) -> String {
        let detail = |key: &str| match &self.details[key] {
            serde_json::Value::String(text) => format!(" {text}"),
            serde_json::Value::Number(number) => format!(" {number}"),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => String::new(),
        };
        let kind = self.kind.as_ref().map(|k| format!(" {k}")).unwrap_or_default();
        let reason = self.reason.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
        let (status, words) = (detail("status"), detail("diagnostic"));
        format!("{}{kind}{reason}{status}{words}", self.what)
    }
}

/// Events for people and programs.
pub fn lines(events: &[BounceEvent]) -> Vec<EventLine> {
    let line = |e: &BounceEvent| EventLine {
        at: Timestamp(e.at).rfc3339(),
        what: e.kind.clone(),
        kind: e.bounce.clone(),
        reason: e.reason.clone(),
        recipient: e.address.clone(),
        campaign: e.campaign.clone(),
        relay: e.relay.clone(),
        provider: e.provider.and_then(MailboxProvider::from_code).map(MailboxProvider::as_str),
        details: serde_json::from_str(&e.data).unwrap_or_default(),
    };
    events.iter().map(line).collect()
}

fn kind(kind: KindArg) -> BounceKind {
    match kind {
        KindArg::Hard => BounceKind::Hard,
        KindArg::Soft => BounceKind::Soft,
        KindArg::Block => BounceKind::Block,
        KindArg::Complaint => BounceKind::Complaint,
        KindArg::Other => BounceKind::Other,
    }
}

pub async fn list(app: &App, args: &BounceListArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let address = args.address.as_deref().map(parse_address).transpose()?;
    let campaign = match &args.campaign {
        Some(name) => Some(opened.store.campaign(name).await?.campaign.id),
        None => None,
    };
    let filter = BounceFilter { campaign, address: address.as_ref(), kind: args.kind.map(kind) };
    let events = opened.store.bounce_events(filter, i64::MAX, i64::from(args.limit)).await?;
    app.output.show(&lines(&events), |lines| {
        let mut table = Table::new(&["when", "recipient", "campaign", "provider", "what"]);
        for line in lines {
            let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
            let provider = line.provider.unwrap_or("-").to_owned();
            table.row([
                line.at.clone(),
                or(&line.recipient),
                or(&line.campaign),
                provider,
                line.words(),
            ]);
        }
        if lines.is_empty() { String::new() } else { table.to_string() }
    })?;
    opened.close().await;
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Kept {
    id: i64,
    at: String,
    kept_until: String,
    source: String,
    why: String,
    octets: usize,
}

/// Kept mails read at once.
const PAGE: i64 = 100;

pub async fn review(app: &App, args: &ReviewArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let exit = match (args.show, args.done) {
        (Some(id), _) => show_raw(&opened, id, app.now()).await,
        (None, Some(id)) => match opened.store.drop_raw(id).await? {
            true => Ok(Exit::Ok),
            false => Err(no_mail(id)),
        },
        (None, None) => show_kept(app, &opened).await,
    }?;
    opened.close().await;
    Ok(exit)
}

fn no_mail(id: i64) -> anyhow::Error {
    Fault::no_input(format!("no mail {id} is kept; `postroad bounce review` shows which are"))
        .into()
}

async fn show_raw(opened: &Opened, id: i64, now: Timestamp) -> Result<Exit> {
    let found = opened.store.raw_mails(id - 1, now, 1).await?;
    match found.first() {
        Some(mail) if mail.id == id => {
            let mut out = out_lines();
            out.write_all(&mail.raw)?;
            out.flush()?;
            Ok(Exit::Ok)
        }
        Some(_) | None => Err(no_mail(id)),
    }
}

async fn show_kept(app: &App, opened: &Opened) -> Result<Exit> {
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let page = opened.store.raw_mails(after, app.now(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        all.extend(page.into_iter().map(|m| Kept {
            id: m.id,
            at: Timestamp(m.at).rfc3339(),
            kept_until: Timestamp(m.expires_at).rfc3339(),
            source: m.source,
            why: m.why,
            octets: m.raw.len(),
        }));
    }
    app.output.show(&all, |all| {
        let mut table =
            Table::new(&["#number", "came", "kept until", "from", "what was not understood"]);
        for k in all {
            let (at, until) = (k.at.clone(), k.kept_until.clone());
            table.row([k.id.to_string(), at, until, k.source.clone(), k.why.clone()]);
        }
        if all.is_empty() { String::new() } else { table.to_string() }
    })?;
    if all.is_empty() {
        app.output.say("everything that came back was understood");
    }
    Ok(Exit::Ok)
}
