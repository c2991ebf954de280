//! `campaign test`: the real thing to one address through each relay, and what each relay answered.
//!
//! Like `run` it takes the lanes that are free; where another engine works on the same database, that one sends.

use super::campaign_spec;
use super::contact::parse_address;
use crate::app::{App, Opened, Runs};
use crate::args::CampaignTestArgs;
use crate::exit::Exit;
use crate::output::{Table, printable};
use crate::signals;
use crate::sinks::Sinks;
use crate::wiring::engine::{self, Running, is_locked};
use anyhow::Result;
use postroad_campaign::{TEST_MINUTES, TestAnswer, TestSend, send_test, test_answers};
use postroad_delivery::core::Wait;
use postroad_store::ServeWhich;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the answers are looked at.
const LOOK: Duration = Duration::from_millis(200);

pub async fn run(app: &App, args: &CampaignTestArgs) -> Result<Exit> {
    let to = parse_address(&args.to)?;
    let mut config = app.config(Runs::Briefly)?;
    let sinks = Sinks::start(&mut config, &app.clock).await?;
    let opened = app.open_with(config).await?;
    let new = campaign_spec::load(&opened, &args.name, &args.spec)?;
    opened.register(app.now()).await?;
    let stop = signals::stop(app.output)?;
    let test = send_test(
        &opened.store,
        &opened.setup,
        (&new.name, &new.settings),
        (&to, args.relay.as_deref()),
        app.now(),
    )
    .await?;
    let which = ServeWhich::Only(test.campaign);
    let running = match engine::start(app, &opened, which, None).await {
        Ok(running) => Some(running),
        Err(error) if is_locked(&error) => {
            app.output.say("another postroad works on this database and sends the test");
            None
        }
        Err(error) => return Err(error),
    };
    let follow = Follow { app, opened: &opened, test: &test };
    let resting = tokio::select! {
        resting = follow.until_settled(running.as_ref()) => resting?,
        () = stop.cancelled() => BTreeMap::new(),
    };
    if let Some(running) = running {
        running.stop().await;
    }
    sinks.shutdown().await;
    let answers = test_answers(&opened.store, &test).await?;
    let shown = json!({ "campaign": new.name, "to": to.to_string(), "answers": answers, "resting": resting });
    app.output.show(&shown, |_| text(&answers, &resting))?;
    opened.close().await;
    let all = answers.iter().all(|a| a.state == "accepted") && !answers.is_empty();
    Ok(if all { Exit::Ok } else { Exit::Unavailable })
}

struct Follow<'a> {
    app: &'a App,
    opened: &'a Opened,
    test: &'a TestSend,
}

impl Follow<'_> {
    /// Returns when every relay has answered or rests; the relays that rest, and why.
    async fn until_settled(&self, running: Option<&Running>) -> Result<BTreeMap<String, String>> {
        let end = self.app.now().plus_ms(TEST_MINUTES * 60_000);
        loop {
            let answers = test_answers(&self.opened.store, self.test).await?;
            let resting = self.resting(running).await?;
            let done = |a: &TestAnswer| {
                a.settled || !a.attempts.is_empty() || resting.contains_key(&a.relay)
            };
            if answers.iter().all(done) || self.app.now() >= end {
                return Ok(resting);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Relays that send nothing for now: quota, a refused login, a pause.
    async fn resting(&self, running: Option<&Running>) -> Result<BTreeMap<String, String>> {
        let now = self.app.now();
        let names = self.opened.store.relay_names().await?;
        let mut resting = BTreeMap::new();
        for lane in self.opened.store.lanes().await? {
            let (Some(name), Some(pause)) = (names.get(&lane.relay), lane.pause) else { continue };
            if pause.until > now && self.test.relays.contains(name) {
                resting.insert(name.clone(), pause.reason);
            }
        }
        let Some(running) = running else { return Ok(resting) };
        for (id, wait) in running.engine.snapshot().waits {
            let Some(name) = names.get(&id).filter(|n| self.test.relays.contains(n)) else {
                continue;
            };
            if let Wait::Quota(until) = wait {
                resting.insert(name.clone(), format!("its quota is used until {until}"));
            }
        }
        Ok(resting)
    }
}

fn text(answers: &[TestAnswer], resting: &BTreeMap<String, String>) -> String {
    let mut table = Table::new(&["relay", "state", "mail from", "reply"]);
    for a in answers {
        let said = a.reply.clone().or_else(|| a.detail.clone());
        let said = said.or_else(|| resting.get(&a.relay).cloned()).unwrap_or_default();
        table.row([
            a.relay.clone(),
            a.state.into(),
            a.mail_from.clone().unwrap_or_else(|| "-".into()),
            said,
        ]);
    }
    let mut text = table.to_string();
    for a in answers {
        for attempt in &a.attempts {
            text.push_str(&format!("\n{}: {}", a.relay, printable(attempt)));
        }
    }
    text
}
