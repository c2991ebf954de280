//! `doctor`: looks at everything that must be right, and says what to do about what is not.
//!
//! It asks the configured relays and the database and nobody else, and changes nothing.

use super::campaign_schedule::node_runs;
use super::mailbox_check::check_all;
use super::relay_test::try_all;
use crate::app::{App, Opened};
use crate::exit::{Exit, message};
use crate::logging;
use crate::output::Table;
use crate::sinks::Sinks;
use crate::wiring::asking::{preflight, resolver};
use crate::wiring::placement::boxes;
use anyhow::Result;
use postroad_config::Config;
use postroad_dkim::KeyRing;
use postroad_model::{Clock, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Clocks this far apart deserve a look.
const CLOCKS_APART_MS: i64 = 2_000;

/// How one check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Failed,
}

/// One check.
#[derive(Debug, Serialize)]
struct Line {
    check: String,
    verdict: Verdict,
    message: String,
}

#[derive(Default)]
struct Findings(Vec<Line>);

impl Findings {
    fn add(&mut self, verdict: Verdict, check: &str, message: impl Into<String>) {
        self.0.push(Line { check: check.into(), verdict, message: message.into() });
    }
}

pub async fn run(app: &App) -> Result<Exit> {
    logging::start(&app.global, None);
    let mut findings = Findings::default();
    match app.load() {
        Ok(config) => examine(app, config, &mut findings).await,
        Err(error) => findings.add(Verdict::Failed, "configuration", message(&error)),
    }
    let failed = findings.0.iter().any(|l| l.verdict == Verdict::Failed);
    app.output.show(&json!({ "ok": !failed, "checks": findings.0 }), |_| table(&findings.0))?;
    Ok(if failed { Exit::Unavailable } else { Exit::Ok })
}

async fn examine(app: &App, mut config: Config, findings: &mut Findings) {
    let warnings = config.warnings.len();
    findings.add(
        if warnings == 0 { Verdict::Ok } else { Verdict::Warning },
        "configuration",
        format!(
            "{}: {warnings} warnings (`postroad config check` lists them)",
            config.path.display()
        ),
    );
    keys(&config, findings);
    published(&config, findings).await;
    ports(&config, findings);
    let sinks = match Sinks::start(&mut config, &app.clock).await {
        Ok(sinks) => Some(sinks),
        Err(error) => {
            findings.add(Verdict::Failed, "sink", message(&error));
            None
        }
    };
    relays(app, &config, findings).await;
    mailboxes(app, &config, findings).await;
    seeds(app, &config, findings).await;
    hooks(&config, findings);
    if let Some(sinks) = sinks {
        sinks.shutdown().await;
    }
    match app.open_with(config).await {
        Ok(opened) => {
            database(app, &opened, findings).await;
            opened.close().await;
        }
        Err(error) => findings.add(Verdict::Failed, "database", message(&error)),
    }
}

fn keys(config: &Config, findings: &mut Findings) {
    match KeyRing::load(&config.domains) {
        Ok((_, warnings)) => {
            for domain in &config.domains {
                if domain.dkim.is_empty() {
                    findings.add(
                        Verdict::Warning,
                        "dkim",
                        format!(
                            "{0} has no key; `postroad dkim generate {0}` makes one",
                            domain.name
                        ),
                    );
                } else {
                    findings.add(
                        Verdict::Ok,
                        "dkim",
                        format!(
                            "{} signs with {} keys; `postroad dkim record` prints what its DNS must hold",
                            domain.name,
                            domain.dkim.len()
                        ),
                    );
                }
            }
            warnings.into_iter().for_each(|w| findings.add(Verdict::Warning, "dkim", w));
        }
        Err(error) => findings.add(Verdict::Failed, "dkim", message(&error.into())),
    }
}

/// What DNS says of the sending domains, where it may be asked.
async fn published(config: &Config, findings: &mut Findings) {
    let (Some(servers), Ok((keys, _))) = (&config.dns, KeyRing::load(&config.domains)) else {
        return;
    };
    let dns = match resolver(servers) {
        Ok(dns) => dns,
        Err(error) => return findings.add(Verdict::Failed, "dns", message(&error)),
    };
    for domain in &config.domains {
        match preflight(&dns, domain, &keys).await {
            Ok(checked) => checked.into_iter().for_each(|c| {
                let verdict = if c.passed { Verdict::Ok } else { Verdict::Failed };
                findings.add(verdict, "dns", c.said);
            }),
            Err(error) => findings.add(Verdict::Warning, "dns", message(&error.into())),
        }
    }
}

fn ports(config: &Config, findings: &mut Findings) {
    let web = &config.web;
    for (key, address) in
        [("web.public_listen", web.public_listen), ("web.admin_listen", web.admin_listen)]
    {
        match free(address) {
            Ok(()) => findings.add(Verdict::Ok, key, format!("{address} is free")),
            Err(error) => findings.add(
                Verdict::Warning,
                key,
                format!(
                    "{address}: {error}; fine if `postroad serve` runs, else choose another port"
                ),
            ),
        }
    }
    if web.public_url.is_none() {
        findings.add(
            Verdict::Warning,
            "web.public_url",
            "is not set: no one-click unsubscribe, which large mailbox providers ask of bulk senders",
        );
    }
}

fn free(address: SocketAddr) -> std::io::Result<()> {
    TcpListener::bind(address).map(drop)
}

async fn relays(app: &App, config: &Config, findings: &mut Findings) {
    match try_all(&config.relays, app.clock.clone()).await {
        Ok(tried) => {
            for t in tried {
                let verdict = if t.ok { Verdict::Ok } else { Verdict::Failed };
                let said = format!("{}:{}: {}", t.host, t.port, t.said);
                findings.add(verdict, &format!("relay {}", t.relay), said);
            }
        }
        Err(error) => findings.add(Verdict::Failed, "relays", message(&error)),
    }
}

async fn mailboxes(app: &App, config: &Config, findings: &mut Findings) {
    match check_all(config, app.clock.clone()).await {
        Ok(checked) => {
            for c in checked {
                let verdict = if c.ok { Verdict::Ok } else { Verdict::Failed };
                let said = format!("{}:{}: {}", c.host, c.port, c.said);
                findings.add(verdict, &format!("mailbox {}", c.mailbox), said);
            }
        }
        Err(error) => findings.add(Verdict::Failed, "mailboxes", message(&error)),
    }
}

async fn seeds(app: &App, config: &Config, findings: &mut Findings) {
    let clock: Arc<dyn Clock> = app.clock.clone();
    match boxes(config, &clock) {
        Ok(seeds) => {
            for c in super::seed::check_all(config, seeds).await {
                let verdict = match (c.ok, c.junk.is_empty()) {
                    (true, false) => Verdict::Ok,
                    (true, true) => Verdict::Warning,
                    (false, _) => Verdict::Failed,
                };
                let folders = [c.inbox, Some(c.junk.join(", "))].into_iter().flatten();
                let said: Vec<String> = c.said.into_iter().chain(folders).collect();
                findings.add(verdict, &format!("seed {}", c.seed), said.join("; "));
            }
        }
        Err(error) => findings.add(Verdict::Failed, "seeds", message(&error)),
    }
}

/// Where providers are to call, and whether they can.
fn hooks(config: &Config, findings: &mut Findings) {
    for hook in &config.hooks {
        let check = format!("hook {}", hook.name);
        match &config.web.public_url {
            Some(url) => {
                let text = format!("the provider calls {url}/hook/{}", hook.name);
                findings.add(Verdict::Ok, &check, text);
            }
            None => findings.add(
                Verdict::Warning,
                &check,
                "web.public_url is not set: the provider must reach public_listen somehow",
            ),
        }
    }
    if let Some(listener) = &config.bounce_listener {
        match free(listener.listen) {
            Ok(()) => {
                findings.add(
                    Verdict::Ok,
                    "bounce_listener",
                    format!("{} is free", listener.listen),
                );
            }
            Err(error) => findings.add(
                Verdict::Warning,
                "bounce_listener",
                format!("{}: {error}; fine if `postroad serve` runs", listener.listen),
            ),
        }
    }
}

async fn database(app: &App, opened: &Opened, findings: &mut Findings) {
    findings.add(Verdict::Ok, "database", "opens, has this program's schema and this key");
    match opened.store.database_time().await {
        Ok(Some(server)) => clocks(server.since_ms(app.now()), "the database's", findings),
        Ok(None) => clocks(app.clock.disagreement_ms(), "the boot-time clock's", findings),
        Err(error) => findings.add(Verdict::Failed, "clock", error.to_string()),
    }
    let now: Timestamp = app.now();
    match node_runs(opened, now).await {
        Ok(true) => findings.add(Verdict::Ok, "node", "one is running"),
        Ok(false) => findings.add(
            Verdict::Warning,
            "node",
            "none is running; `postroad serve` or `postroad campaign run NAME` sends what is scheduled",
        ),
        Err(error) => findings.add(Verdict::Failed, "node", message(&error)),
    }
}

fn clocks(apart_ms: i64, whose: &str, findings: &mut Findings) {
    if apart_ms.abs() < CLOCKS_APART_MS {
        findings.add(Verdict::Ok, "clock", format!("agrees with {whose}"));
    } else {
        let text = format!("is {apart_ms} ms off {whose}; is time synchronisation running?");
        findings.add(Verdict::Warning, "clock", text);
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = Table::new(&["", "check", ""]);
    for line in lines {
        let verdict = match line.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "FAILED",
        };
        table.row([verdict.into(), line.check.clone(), line.message.clone()]);
    }
    table.to_string()
}
