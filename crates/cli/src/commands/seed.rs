//! `seed check|report`: are the seed mailboxes in order, and where did a campaign land?

use super::mailbox_check::exit;
use crate::app::{App, Opened, Runs};
use crate::args::{SeedCheckArgs, SeedCommand, SeedReportArgs};
use crate::environment;
use crate::exit::{Exit, Fault};
use crate::output::Table;
use crate::wiring::placement::{boxes, placements, register};
use anyhow::Result;
use postroad_campaign::{Inbox, Rate, SeedReport};
use postroad_config::Config;
use postroad_model::Clock;
use postroad_placement::{Checked, SeedBox, Which, check};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub async fn run(app: &App, command: &SeedCommand) -> Result<Exit> {
    match command {
        SeedCommand::Check(args) => checks(app, args).await,
        SeedCommand::Report(args) => report(app, args).await,
    }
}

async fn checks(app: &App, args: &SeedCheckArgs) -> Result<Exit> {
    let config = app.config(Runs::Briefly)?;
    let clock: Arc<dyn Clock> = app.clock.clone();
    let mut seeds = boxes(&config, &clock)?;
    if let Some(name) = &args.name {
        seeds.retain(|s| s.name == *name);
        if seeds.is_empty() {
            let text = format!("there is no [[seed]] named {name:?} in {}", config.path.display());
            return Err(Fault::new(Exit::Config, text).into());
        }
    }
    if seeds.is_empty() {
        app.output.say("no seed is configured; docs/guide/seeds.md shows how");
    }
    let checked = check_all(&config, seeds).await;
    app.output.show(&checked, |checked| table(checked))?;
    Ok(exit(checked.iter().map(|c| (c.ok, c.needs_a_person))))
}

/// All of them, so many at once, in the order of the configuration.
pub async fn check_all(config: &Config, seeds: Vec<SeedBox>) -> Vec<Checked> {
    let places = Arc::new(Semaphore::new(config.placement.mailboxes_at_once as usize));
    let order: Vec<String> = seeds.iter().map(|s| s.name.clone()).collect();
    let mut tasks = JoinSet::new();
    for seed in seeds {
        let places = places.clone();
        tasks.spawn(async move {
            // Nobody closes the semaphore.
            let _place = places.acquire().await;
            check(&seed).await
        });
    }
    let mut checked = tasks.join_all().await;
    checked.sort_by_key(|c| order.iter().position(|name| *name == c.seed));
    checked
}

fn table(checked: &[Checked]) -> String {
    if checked.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["seed", "provider", "", "inbox", "spam", "#others", "said"]);
    for c in checked {
        let verdict = if c.ok { "ok" } else { "FAILED" };
        table.row([
            c.seed.clone(),
            c.provider.into(),
            verdict.into(),
            c.inbox.clone().unwrap_or_else(|| "-".into()),
            if c.junk.is_empty() { "-".into() } else { c.junk.join(", ") },
            c.others.len().to_string(),
            c.said.join("; "),
        ]);
    }
    table.to_string()
}

async fn report(app: &App, args: &SeedReportArgs) -> Result<Exit> {
    let opened = app.open(Runs::Briefly).await?;
    if args.look {
        look(app, &opened).await?;
    }
    let report = postroad_campaign::seed_report(&opened.store, &args.campaign).await?;
    app.output.show(&report, text)?;
    opened.close().await;
    Ok(Exit::Ok)
}

/// Looks for every copy that was not found yet, whenever its next look is.
async fn look(app: &App, opened: &Opened) -> Result<()> {
    let now = app.now();
    register(opened, now).await?;
    let clock: Arc<dyn Clock> = app.clock.clone();
    let name = environment::node_name();
    let node = opened.store.register_node(&name, env!("CARGO_PKG_VERSION"), now).await?;
    let placements = Arc::new(placements(opened, None));
    let places = Arc::new(Semaphore::new(opened.config.placement.mailboxes_at_once as usize));
    let mut tasks = JoinSet::new();
    for seed in boxes(&opened.config, &clock)? {
        let (placements, clock, places) = (placements.clone(), clock.clone(), places.clone());
        tasks.spawn(async move {
            let _place = places.acquire().await;
            let once = CancellationToken::new();
            once.cancel();
            let looked = placements.look(&seed, Which::All, node, &*clock, &once).await;
            (seed.name, looked)
        });
    }
    let looked = tasks.join_all().await;
    opened.store.stop_node(node, app.now()).await?;
    for (name, looked) in looked {
        match looked? {
            Some(looked) => {
                if let Some(trouble) = looked.trouble {
                    app.output.warn(format!("seed {name}: {trouble}"));
                }
            }
            None => app.output.say(format!("seed {name}: another process looks into it now")),
        }
    }
    Ok(())
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn rate(rate: Option<&Rate>) -> String {
    match rate {
        Some(r) => {
            let (lower, upper) = (percent(r.lower), percent(r.upper));
            format!("{} ({lower} to {upper}, n = {})", percent(r.ratio), r.samples)
        }
        None => "-".into(),
    }
}

/// `Inbox rate: 87 % (62 to 96 %, n = 15), an estimate from seeds; it speaks for 92 % of the audience`
pub fn headline(inbox: &Inbox) -> String {
    let mut text = match &inbox.rate {
        Some(r) => format!("Inbox rate: {}, an estimate from seeds", rate(Some(r))),
        None => "Inbox rate: not known yet, no seed's copy says anything".to_owned(),
    };
    if inbox.rate.is_some() && inbox.covered < 0.995 {
        text.push_str(&format!("; it speaks for {} of the audience", percent(inbox.covered)));
    }
    if !inbox.uncovered.is_empty() {
        text.push_str(&format!("; nothing is known of {}", inbox.uncovered.join(", ")));
    }
    let parts: Vec<String> = inbox.copies.iter().map(|(place, n)| format!("{n} {place}")).collect();
    if !parts.is_empty() {
        text.push_str(&format!("\n  copies: {}", parts.join(", ")));
    }
    text.push('\n');
    text
}

const PLACES: [&str; 8] =
    ["inbox", "promotions", "spam", "other", "missing", "pending", "unknown", "not_sent"];

/// The rates of relays and of mailbox providers, and of the last campaigns together, which rest on more copies.
fn sums(r: &SeedReport) -> String {
    let mut sums = Table::new(&["together", "inbox rate"]);
    for (relay, of) in &r.inbox.relays {
        sums.row([format!("relay {relay}"), rate(of.as_ref())]);
    }
    for (provider, of) in &r.inbox.providers {
        sums.row([(*provider).to_owned(), rate(of.as_ref())]);
    }
    let last = match r.pooled.campaigns {
        1 => "the last campaign".to_owned(),
        n => format!("the last {n} campaigns"),
    };
    sums.row([last, rate(r.pooled.rate.as_ref())]);
    sums.to_string()
}

fn text(r: &SeedReport) -> String {
    if r.copies.is_empty() {
        return format!("Campaign {} has no seeds; docs/guide/seeds.md shows how\n", r.campaign);
    }
    let mut text = format!("Campaign {}\n{}", r.campaign, headline(&r.inbox));
    let mut heads = vec!["relay".to_owned(), "provider".to_owned()];
    heads.extend(PLACES.iter().map(|p| format!("#{}", p.replace('_', " "))));
    heads.push("inbox rate".into());
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut cells = Table::new(&heads);
    for cell in &r.cells {
        let mut row = vec![cell.relay.clone(), cell.provider.to_owned()];
        row.extend(PLACES.iter().map(|p| cell.copies.get(p).copied().unwrap_or(0).to_string()));
        row.push(rate(cell.rate.as_ref()));
        cells.row(row);
    }
    text.push_str(&format!("\n{cells}\n{}", sums(r)));
    if !r.not_covered.is_empty() {
        let pairs: Vec<String> =
            r.not_covered.iter().map(|n| format!("{} x {}", n.relay, n.provider)).collect();
        text.push_str(&format!("\nNot covered: {}\n", pairs.join(", ")));
    }
    let mut copies = Table::new(&[
        "seed", "address", "relay", "row", "where", "folder", "#after", "spf", "dkim", "dmarc",
        "trouble",
    ]);
    for c in &r.copies {
        let or = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let folder = match (&c.folder, &c.tab) {
            (Some(folder), Some(tab)) => format!("{folder} ({tab})"),
            (folder, _) => or(folder.as_deref()),
        };
        copies.row([
            c.seed.clone(),
            c.address.clone(),
            c.relay.clone(),
            c.state.into(),
            c.placement.into(),
            folder,
            c.arrived_after_seconds.map_or_else(|| "-".into(), |s| format!("{s} s")),
            or(c.spf),
            or(c.dkim),
            or(c.dmarc),
            c.trouble.clone().unwrap_or_default(),
        ]);
    }
    text.push_str(&format!("\n{copies}"));
    text
}
