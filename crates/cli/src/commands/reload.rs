//! `reload`: the running `serve` reads its configuration again, as SIGHUP makes it do, once it is known to be right.
//!
//! Nodes of the database say by their names on which host and with which process number they run. Those here are signalled
//! and answer through the database what they made of it; those elsewhere are named. A broken file reaches nobody.

use super::config::{Checked, checked};
use crate::app::{App, Opened};
use crate::environment;
use crate::exit::{Exit, Fault};
use crate::logging;
use crate::process::Serve;
use anyhow::Result;
use postroad_model::Timestamp;
use postroad_store::Store;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long a node's answer is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// What a node made of its configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Something differs from what it had.
    pub changed: bool,
    /// What holds now.
    pub taken_over: Vec<String>,
    /// Keys that differ from those of its start and wait for the next one.
    pub needs_restart: Vec<String>,
    /// Why nothing was taken over.
    pub error: Option<String>,
}

impl Answer {
    /// Keeps it for the one who asked.
    pub async fn keep(&self, store: &Store, now: Timestamp) -> Result<()> {
        let text = serde_json::to_string(self)?;
        Ok(store.answer_reload(&environment::node_name(), &text, now).await?)
    }
}

/// A node that was told.
#[derive(Debug, Serialize)]
struct Told {
    node: String,
    /// False when nothing was heard of it in time.
    answered: bool,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
struct Reloaded<'a> {
    file: &'a Path,
    nodes: Vec<Told>,
    not_reached: Vec<String>,
}

pub async fn run(app: &App) -> Result<Exit> {
    logging::start(&app.global, None);
    let Checked { file, errors, warnings, config } = checked(app)?;
    warnings.iter().for_each(|w| app.output.warn(w));
    errors.iter().for_each(|e| app.output.error(e));
    let Some(config) = config.filter(|_| errors.is_empty()) else {
        let text = format!("{} cannot be used; what runs keeps what it has", file.display());
        return Err(Fault::new(Exit::Config, text).into());
    };
    let opened = app.open_with(config).await?;
    let names = opened.store.nodes_heard(app.now()).await?;
    let (here, not_reached) = by_host(names);
    let found = processes(&here, &file)?;
    if found.is_empty() {
        return Err(Fault::new(Exit::Unavailable, nobody(&not_reached)).into());
    }
    let mut nodes = Vec::new();
    for (node, serve) in found {
        nodes.push(tell(&opened, node, &serve).await?);
    }
    let fine = nodes.iter().all(|n| n.answered && n.answer.error.is_none());
    let shown = Reloaded { file: &file, nodes, not_reached };
    app.output.show(&shown, text)?;
    opened.close().await;
    Ok(if fine { Exit::Ok } else { Exit::TryLater })
}

/// Nodes on this host with their process numbers, and the names of all others.
fn by_host(names: Vec<String>) -> (Vec<(String, i32)>, Vec<String>) {
    let ours = environment::host_name();
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for name in names {
        match name.rsplit_once(':') {
            Some((host, pid)) if host == ours => {
                if let Ok(pid) = pid.parse() {
                    here.push((name, pid));
                }
            }
            Some(_) | None => elsewhere.push(name),
        }
    }
    (here, elsewhere)
}

/// The nodes that are a `serve` with this configuration. One with another is a fault: what was checked is not what it reads.
fn processes(here: &[(String, i32)], file: &Path) -> Result<Vec<(String, Serve)>> {
    let mut found = Vec::new();
    for (name, pid) in here {
        let Some(serve) = Serve::find(*pid)? else { continue };
        let same = match (fs::canonicalize(file), fs::canonicalize(&serve.config)) {
            (Ok(ours), Ok(its)) => ours == its,
            (Ok(_) | Err(_), _) => false,
        };
        if !same {
            let (ours, its) = (file.display(), serve.config.display());
            let text = format!(
                "node {name} reads {its}, and {ours} was checked; nothing is reloaded. Say `postroad --config {its} reload`"
            );
            return Err(Fault::usage(text).into());
        }
        found.push((name.clone(), serve));
    }
    Ok(found)
}

fn nobody(elsewhere: &[String]) -> String {
    let host = environment::host_name();
    let mut text = format!("no `postroad serve` of this database sends from {host}");
    if !elsewhere.is_empty() {
        text.push_str(&format!("; reload where they run: {}", elsewhere.join(", ")));
    }
    text
}

/// Signals a node and waits for its word.
async fn tell(opened: &Opened, node: String, serve: &Serve) -> Result<Told> {
    let before = opened.store.reload_answer(&node).await?;
    serve.hang_up()?;
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            let now = opened.store.reload_answer(&node).await?;
            if let Some((_, text)) = now.filter(|now| Some(now) != before.as_ref()) {
                return Ok::<Answer, anyhow::Error>(serde_json::from_str(&text)?);
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    match answer.await {
        Ok(answer) => Ok(Told { node, answered: true, answer: answer? }),
        Err(_) => Ok(Told { node, answered: false, answer: Answer::default() }),
    }
}

fn text(r: &Reloaded<'_>) -> String {
    let mut text = String::new();
    for told in &r.nodes {
        let (node, answer) = (&told.node, &told.answer);
        let line = match (told.answered, &answer.error, answer.changed) {
            (false, ..) => "has not answered yet; its log says what came of it".to_owned(),
            (true, Some(error), _) => format!("keeps what it has: {error}"),
            (true, None, false) => format!("has {} already", r.file.display()),
            (true, None, true) => format!("has taken over {}", r.file.display()),
        };
        text.push_str(&format!("node {node} {line}\n"));
        answer.taken_over.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        if !answer.needs_restart.is_empty() {
            let keys = answer.needs_restart.join(", ");
            text.push_str(&format!("  takes effect at its next start: {keys}\n"));
        }
    }
    for node in &r.not_reached {
        text.push_str(&format!("node {node} was not reached: reload there too\n"));
    }
    text
}
