//! What a user would pick instead, in the same run: the same newsletter, composed and signed by each in its own way.
//!
//! nodemailer and dkimpy are installed into a temporary folder when they are asked for; what cannot be had is
//! skipped with the reason. The programs are in `peers/` and `examples/lettre_peer.rs`.

use crate::bench::{Case, Ring};
use crate::contest::{Contestant, Run, hold, say};
use crate::job::Figures;
use crate::message::{self, HTML, SUBJECT, Signing, TEXT, key_file};
use crate::report::Table;
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const CAMPAIGN: &str = "postroad, SQLite";
const HERE: &str = env!("CARGO_MANIFEST_DIR");
const PEOPLE: u64 = 1_000;

/// What a peer prints.
#[derive(Deserialize)]
struct Printed {
    n: u64,
    seconds: f64,
}

/// A peer, or why it cannot run.
struct Peer {
    name: &'static str,
    command: Result<Vec<String>, String>,
    /// Of 100 messages that we send it sends so many: some would take all day.
    percent: u64,
}

/// Both contests: unsigned, and with RSA-2048.
pub fn bench(ring: &Ring<'_>) -> Result<Vec<Table>> {
    let folder = tempfile::tempdir()?;
    let peers = [nodemailer(folder.path()), lettre(), smtplib(folder.path())];
    let mut tables = Vec::new();
    for signing in [Signing::None, Signing::Rsa] {
        let n = ring.options.messages(20_000);
        let case = Case { signing, ..Case::plain(ring.options.connections) };
        let mut all = vec![Contestant { name: CAMPAIGN.into(), n, run: ring.campaign(case) }];
        for peer in &peers {
            let n = (n * peer.percent / 100).max(1);
            all.push(Contestant {
                name: peer.name.into(),
                n,
                run: peer.run(ring, signing, &folder),
            });
        }
        let standings = hold(ring.options.rounds, all)?;
        let title = format!("peers: {}, into {}", signing.name(), ring.sink.name());
        let mut table = Table::new(title, "messages/s");
        standings.fill(&mut table, |_| Some(CAMPAIGN.into()));
        tables.push(table);
    }
    Ok(tables)
}

impl Peer {
    fn run<'a>(&'a self, ring: &'a Ring<'_>, signing: Signing, folder: &'a TempDir) -> Run<'a> {
        Box::new(move |n| {
            let words = match &self.command {
                Ok(words) => words,
                Err(why) => return Ok(Err(why.clone())),
            };
            let file = folder.path().join("orders.json");
            std::fs::write(&file, orders(ring, signing, n)?.to_string())?;
            let (program, arguments) = words.split_first().context("a command has words")?;
            let mut command = Command::new(program);
            command.args(arguments).arg(&file).current_dir(HERE);
            let output = command.output().with_context(|| format!("cannot run {program}"))?;
            if !output.status.success() {
                bail!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
            }
            let printed: Printed = serde_json::from_slice(&output.stdout)?;
            let (n, seconds) = (printed.n, printed.seconds);
            Ok(Ok(Figures { n, seconds, ..Figures::default() }))
        })
    }
}

fn orders(ring: &Ring<'_>, signing: Signing, n: u64) -> Result<Value> {
    let people: Vec<Value> = (0..PEOPLE).map(person).collect();
    let address = ring.sink.address();
    let key: Option<PathBuf> = (signing == Signing::Rsa).then(|| key_file(ring.keys, signing));
    Ok(json!({
        "host": address.ip().to_string(), "port": address.port(), "n": n,
        "connections": ring.options.connections,
        "from": message::settings().from.to_string(), "subject": SUBJECT, "html": HTML, "text": TEXT,
        "domain": "news.example.com", "selector": "bench", "key_file": key, "people": people,
    }))
}

fn person(i: u64) -> Value {
    let (name, mut attributes) = message::person(i);
    // The peers' templates know words only.
    attributes.retain(|_, value| value.is_string());
    let more = [
        ("name", name),
        ("address", message::address(i).to_string()),
        ("unsubscribe_url", format!("https://news.example.com/u/{i:032x}")),
    ];
    attributes.extend(more.map(|(key, value)| (key.to_owned(), value.into())));
    Value::Object(attributes)
}

fn script(name: &str) -> String {
    Path::new(HERE).join("peers").join(name).display().to_string()
}

/// Runs a preparation; its words are the reason when it fails.
fn prepared(what: &str, words: &[&str], folder: &Path) -> Result<(), String> {
    say(&format!("{what}: {}", words.join(" ")));
    let output = Command::new(words[0]).args(&words[1..]).current_dir(folder).output();
    match output {
        Err(error) => Err(format!("{} cannot be run: {error}", words[0])),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let last = said.lines().next_back().unwrap_or("no reason given").to_owned();
            Err(format!("{} failed: {last}", words.join(" ")))
        }
    }
}

fn nodemailer(folder: &Path) -> Peer {
    let npm = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "nodemailer"];
    let command = prepared("nodemailer", &npm, folder)
        .map(|()| vec!["node".into(), script("nodemailer_peer.cjs"), folder.display().to_string()]);
    Peer { name: "nodemailer, pool", command, percent: 25 }
}

fn lettre() -> Peer {
    let run =
        ["cargo", "run", "-q", "--release", "-p", "postroad-bench", "--example", "lettre_peer"];
    let command = run.iter().map(|word| (*word).to_owned()).chain(["--".to_owned()]).collect();
    Peer { name: "lettre, pool", command: Ok(command), percent: 10 }
}

fn smtplib(folder: &Path) -> Peer {
    let target = folder.display().to_string();
    let pip = ["python3", "-m", "pip", "install", "-q", "--target", &target, "dkimpy"];
    let command = prepared("smtplib's signatures", &pip, folder)
        .map(|()| vec!["python3".into(), script("smtplib_peer.py"), target.clone()]);
    Peer { name: "smtplib, one connection", command, percent: 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_all_that_the_templates_ask_for() {
        let person = person(1);
        for template in [HTML, TEXT, SUBJECT] {
            for asked in template.split("{{").skip(1) {
                let name = asked.split("}}").next().unwrap();
                assert!(person[name].is_string(), "{name}");
            }
        }
    }
}
