//! `campaign status|report|list`: the figures.

use crate::app::{App, Opened, Runs};
use crate::args::{CampaignReportArgs, CampaignStatusArgs};
use crate::exit::Exit;
use crate::output::Table;
use crate::page::{Lang, Page};
use crate::signals;
use anyhow::{Context as _, Result};
use postroad_campaign::{Counting, Opens, Report};
use postroad_model::campaign::{CampaignKind, CampaignState, HoldReason};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::when::Zone;
use postroad_model::{CampaignId, Timestamp};
use postroad_store::StoredCampaign;
use serde_json::json;
use std::time::Duration;

/// Columns of the page's plot over time.
const SLOTS: i64 = 60;
/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(1);

pub async fn status(app: &App, args: &CampaignStatusArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let read = async || {
        let (store, setup) = (&opened.store, &opened.setup);
        postroad_campaign::report(store, setup, &args.name, Counting::Counters, app.now()).await
    };
    if !args.watch {
        app.output.show(&read().await?, text)?;
        opened.close().await;
        return Ok(Exit::Ok);
    }
    let stop = signals::stop(app.output)?;
    let mut shown = None;
    loop {
        let report = read().await?;
        if shown.as_ref() != Some(&report) {
            watch_line(app, &report)?;
        }
        if matches!(report.state, "finished" | "cancelled" | "missed") {
            return Ok(Exit::Ok);
        }
        shown = Some(report);
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            () = stop.cancelled() => return Ok(Exit::Ok),
        }
    }
}

/// One look: a line of JSON, or a line of words.
fn watch_line(app: &App, r: &Report) -> Result<()> {
    if app.output.is_json() {
        return app.output.data(&serde_json::to_string(r)?);
    }
    app.output.data(&format!(
        "{} {}: {} of {} accepted, {} waiting, {} on the wire, {} rejected, {} unknown",
        app.now(),
        r.state,
        r.accepted,
        r.audience,
        r.scheduled,
        r.leased + r.sending,
        r.rejected,
        r.unknown
    ))
}

pub async fn report(app: &App, args: &CampaignReportArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let (store, setup) = (&opened.store, &opened.setup);
    let report =
        postroad_campaign::report(store, setup, &args.name, Counting::Rows, app.now()).await?;
    match &args.html {
        None => app.output.show(&report, text)?,
        Some(file) => {
            let page = page(app, &opened, &report, args.lang).await?;
            if file.as_os_str() == "-" {
                app.output.data(&page)?;
            } else {
                std::fs::write(file, page)
                    .with_context(|| format!("cannot write {}", file.display()))?;
                app.output.show(&json!({ "campaign": report.campaign, "file": file }), |_| {
                    format!("{} is written; it needs no other file", file.display())
                })?;
            }
        }
    }
    opened.close().await;
    if report.imbalance != 0 {
        app.output.warn("the books do not balance; `postroad db check` says where");
        return Ok(Exit::Data);
    }
    Ok(Exit::Ok)
}

/// The report as a page for a browser.
async fn page(app: &App, opened: &Opened, report: &Report, lang: Lang) -> Result<String> {
    let stored = opened.store.campaign(&report.campaign).await?;
    let (id, settings) = (stored.campaign.id, &stored.campaign.settings);
    let over_time = opened.store.accepted_over_time(id, SLOTS).await?;
    Ok(Page {
        report,
        subject: &settings.content.subject,
        from: &settings.from.to_string(),
        zone: &Zone::parse(&settings.zone)?,
        made_at: app.now(),
        over_time: over_time.as_ref(),
        providers: &opened.store.states_by_provider(id).await?,
        opted_out: opened.store.opted_out(id).await?,
        lang,
    }
    .html())
}

/// A report for a terminal.
pub fn text(r: &Report) -> String {
    let mut text = format!("Campaign {} is {}\n", r.campaign, r.state);
    if let CampaignState::Held { reason, .. } = &r.state_detail {
        text.push_str(&held(reason, &r.campaign));
    }
    if let Some(canary) = &r.canary {
        text.push_str(&format!("  canary: {}\n", canary.line()));
    }
    for (what, at) in [("starts", &r.starts_at), ("ends", &r.ends_at), ("expires", &r.expires_at)] {
        if let Some(at) = at {
            text.push_str(&format!("  {what:<8} {at}\n"));
        }
    }
    if r.unreached > 0 {
        text.push_str(&format!("  {} will not be reached by then\n", r.unreached));
    }
    let mut table = Table::new(&["audience", &format!("#{}", r.audience)]);
    for (name, n, always) in [
        ("accepted", r.accepted, true),
        ("rejected", r.rejected, true),
        ("bounced", r.bounced, false),
        ("unknown", r.unknown, true),
        ("suppressed", r.suppressed, false),
        ("expired", r.expired, false),
        ("cancelled", r.cancelled, false),
        ("failed", r.failed, false),
        ("scheduled", r.scheduled, false),
        ("leased", r.leased, false),
        ("sending", r.sending, false),
        ("imbalance", r.imbalance, false),
    ] {
        if always || n != 0 {
            table.row([format!("  {name}"), n.to_string()]);
        }
    }
    text.push_str(&format!("\n{table}"));
    if !r.left_out.is_empty() {
        let parts: Vec<String> = r.left_out.iter().map(|(why, n)| format!("{n} {why}")).collect();
        text.push_str(&format!("\nLeft out: {}\n", parts.join(", ")));
    }
    if !r.came_back.is_empty() {
        text.push_str(&format!("\n{}", came_back(r)));
    }
    if let Some(opens) = &r.opens {
        text.push_str(&format!("\n{}", opened(opens)));
    }
    if r.tests.total > 0 {
        text.push_str(&format!("\nTests: {} of {} accepted\n", r.tests.accepted, r.tests.total));
    }
    if r.seeds.total > 0 {
        text.push_str(&format!("\nSeeds: {} of {} accepted\n", r.seeds.accepted, r.seeds.total));
    }
    if let Some(inbox) = &r.inbox {
        text.push_str(&super::seed::headline(inbox));
    }
    if !r.relays.is_empty() {
        text.push_str(&format!("\n{}", relays(r)));
    }
    text
}

/// Why a campaign is held, and how it goes on.
pub fn held(reason: &HoldReason, name: &str) -> String {
    match reason {
        HoldReason::Brake(why) => {
            format!("  {why}\n  `postroad campaign resume {name}` goes on\n")
        }
        HoldReason::Canary(_) => format!(
            "  `postroad seed report --campaign {name}` shows the copies; `postroad campaign resume {name} --anyway` goes on\n"
        ),
        HoldReason::MissingFact(what) => format!("  it waits for {what}\n"),
    }
}

/// What came back, by reason and mailbox provider.
fn came_back(r: &Report) -> Table {
    let mut table = Table::new(&["came back", "reason", "provider", "relay", "#number"]);
    for line in &r.came_back {
        let relay = if line.relay.is_empty() { "-".to_owned() } else { line.relay.clone() };
        let (kind, reason, provider) = (line.kind.into(), line.reason.into(), line.provider.into());
        table.row([kind, reason, provider, relay, line.n.to_string()]);
    }
    table
}

/// Opens by mailbox provider: to be compared with each other.
fn opened(opens: &[Opens]) -> Table {
    let heads = ["opened", "#human", "#proxy", "#prefetch", "#accepted", "#opened share"];
    let mut table = Table::new(&heads);
    for line in opens {
        let numbers = [line.human, line.proxy, line.prefetch].map(|n| n.to_string());
        let [human, proxy, prefetch] = numbers;
        let accepted = line.accepted.map_or_else(|| "-".into(), |n| n.to_string());
        let share = line.share.map_or_else(|| "-".into(), |s| format!("{:.1} %", s * 100.0));
        table.row([line.provider.to_owned(), human, proxy, prefetch, accepted, share]);
    }
    table
}

fn relays(r: &Report) -> Table {
    let mut table = Table::new(&["relay", "#accepted", "#rejected", "#deferred", "quota"]);
    for (name, relay) in &r.relays {
        let quota: Vec<String> = relay
            .quota
            .iter()
            .map(|q| {
                let frees =
                    q.frees_at.as_ref().map(|at| format!(", frees {at}")).unwrap_or_default();
                format!("{} of {} in {}{frees}", q.used, q.limit, q.window)
            })
            .collect();
        table.row([
            name.clone(),
            relay.accepted.to_string(),
            relay.rejected.to_string(),
            relay.deferred.to_string(),
            quota.join("; "),
        ]);
    }
    table
}

/// The few figures of a progress bar, from the counters.
pub struct Figures {
    pub audience: i64,
    pub open: i64,
    pub accepted: i64,
    pub rejected: i64,
    pub unknown: i64,
}

pub async fn figures(opened: &Opened, id: CampaignId) -> Result<Figures> {
    let counters = opened.store.counters(id).await?;
    let of = |wanted: &dyn Fn(DeliveryState) -> bool| -> i64 {
        counters
            .iter()
            .filter(|c| c.role == Role::Audience)
            .filter(|c| DeliveryState::from_code(c.code).is_some_and(wanted))
            .map(|c| c.n)
            .sum()
    };
    Ok(Figures {
        audience: of(&|_| true),
        open: of(&DeliveryState::is_open),
        accepted: of(&|s| s == DeliveryState::Accepted),
        rejected: of(&|s| s == DeliveryState::Rejected),
        unknown: of(&|s| s == DeliveryState::Unknown),
    })
}

pub async fn list(app: &App) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    let all: Vec<StoredCampaign> = opened
        .store
        .campaigns()
        .await?
        .into_iter()
        .filter(|s| s.campaign.kind == CampaignKind::Bulk)
        .collect();
    let at = |t: Option<Timestamp>| t.map(Timestamp::rfc3339);
    let shown: Vec<serde_json::Value> = all
        .iter()
        .map(|s| {
            json!({
                "campaign": s.campaign.name, "state": s.campaign.state.name(),
                "audience": s.campaign.audience, "starts_at": at(s.start_at),
                "expires_at": at(s.expires_at), "pool": s.campaign.settings.pool,
                "subject": s.campaign.settings.content.subject,
            })
        })
        .collect();
    if shown.is_empty() {
        app.output.say("nothing is scheduled yet; `postroad campaign new NAME` begins a campaign");
    }
    app.output.show(&shown, |_| table(&all))?;
    opened.close().await;
    Ok(Exit::Ok)
}

fn table(all: &[StoredCampaign]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["campaign", "state", "#audience", "starts", "pool", "subject"]);
    for s in all {
        table.row([
            s.campaign.name.clone(),
            s.campaign.state.name().into(),
            s.campaign.audience.map_or_else(|| "-".into(), |n| n.to_string()),
            s.start_at.map_or_else(|| "-".into(), Timestamp::rfc3339),
            s.campaign.settings.pool.clone(),
            s.campaign.settings.content.subject.clone(),
        ]);
    }
    table.to_string()
}
