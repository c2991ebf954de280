//! Campaigns over external sinks, judged by what the sinks wrote down.

use crate::folder::{Folder, Running};
use postroad_smtpd::{Kind, RecordLog, peak_in_window};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A folder with this many readers and a campaign `hello` over a pool `real` of the relays given.
pub fn folder_with(people: usize, relays: &[(&str, u16, &str)]) -> Folder {
    let folder = Folder::ready();
    let mut csv = String::from("email,name\n");
    (0..people).for_each(|n| csv.push_str(&format!("p{n}@example.org,Person {n}\n")));
    folder.write("people.csv", csv);
    folder.run("contact import people.csv --list readers").ends(0);
    let mut names = Vec::new();
    let mut tables = String::new();
    for (name, port, limits) in relays {
        names.push(format!("{name:?}"));
        tables.push_str(&format!(
            "[[relay]]\nname = \"{name}\"\nprofile = \"generic\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             tls = \"none\"\nlimits = {limits}\nsend_as = [\"example.com\"]\n\n"
        ));
    }
    let pool = format!("[[pool]]\nname = \"real\"\nrelays = [{}]\n\n[[pool]]", names.join(", "));
    folder.edit("[[pool]]", &format!("{tables}{pool}"));
    folder.run("campaign new hello --list readers --pool real --template announcement").ends(0);
    folder
}

pub fn records(folder: &Folder, name: &str) -> RecordLog {
    RecordLog::read(&folder.path(name)).unwrap()
}

/// How often each address was accepted, over several sinks.
fn copies(folder: &Folder, names: &[&str]) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for name in names {
        for record in records(folder, name).of(Kind::Accepted) {
            record.rcpts.iter().for_each(|r| *copies.entry(r.clone()).or_default() += 1);
        }
    }
    copies
}

fn number(report: &Value, key: &str) -> usize {
    usize::try_from(report[key].as_i64().unwrap_or_else(|| panic!("{key} in {report}"))).unwrap()
}

#[test]
fn a_campaign_stops_at_the_quota_and_says_until_when_it_waits() {
    let sinks = Folder::empty();
    let (_a, a) = sinks.sink("--like gmail --per-day 60 --record a.jsonl");
    let (_b, b) = sinks.sink("--like gmail --per-day 60 --record b.jsonl");
    let limit = "[{ amount = 60, per = \"24h\" }]";
    let folder = folder_with(200, &[("one", a, limit), ("two", b, limit)]);
    folder.run("campaign plan hello").says(&["200 people"]);
    folder.run("campaign schedule hello").ends(0).says(&["No node is running"]);
    let ran = folder.run("--format json campaign run hello --no-wait").ends(75);
    let report = ran.json();
    let ran = ran.says(&["all quota is used"]);
    assert!(ran.stderr.contains("20"), "says until when: {}", ran.stderr);
    assert_eq!(
        (&report["state"], number(&report, "accepted")),
        (&"running".into(), 120),
        "{report}"
    );
    assert_eq!((number(&report, "scheduled"), number(&report, "imbalance")), (80, 0));
    let quota = &report["relays"]["one"]["quota"][0];
    assert_eq!((&quota["used"], &quota["limit"]), (&60.into(), &60.into()));
    assert!(quota["frees_at"].is_string(), "{quota}");
    for name in ["a.jsonl", "b.jsonl"] {
        let log = records(&sinks, name);
        assert_eq!(peak_in_window(log.of(Kind::Rcpt).map(|r| r.at_ms), 86_400_000), 60);
    }
    // Nothing changes by starting it once more.
    folder.run("campaign run hello --no-wait").ends(75);
    assert_eq!(copies(&sinks, &["a.jsonl", "b.jsonl"]).len(), 120);
    folder.run("campaign cancel hello").ends(0).says(&["80 messages"]);
    let report = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!((&report["state"], number(&report, "cancelled")), (&"cancelled".into(), 80));
}

#[test]
fn killed_twice_on_the_way_nobody_is_lost_and_only_the_unknown_may_have_two() {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink("--latency 10ms --record a.jsonl");
    let folder = folder_with(600, &[("one", port, "\"none\"")]);
    folder.run("campaign schedule hello").ends(0);
    for killed_at in [100, 300] {
        let run = folder.start("campaign run hello");
        accepted_at_least(&sinks, killed_at);
        run.kill();
    }
    folder.run("campaign run hello").ends(0);
    let report = folder.run("--format json campaign report hello").ends(0).json();
    let (accepted, unknown) = (number(&report, "accepted"), number(&report, "unknown"));
    assert_eq!((accepted + unknown, number(&report, "imbalance")), (600, 0), "{report}");
    let copies = copies(&sinks, &["a.jsonl"]);
    assert_eq!(
        copies.values().filter(|n| **n > 1).count(),
        0,
        "on_unknown = hold sends nobody two"
    );
    assert!(copies.len() >= accepted && copies.len() <= accepted + unknown);
    // Who is unknown here is what the sinks' record leaves open.
    let export = folder.run("campaign export hello --state accepted").ends(0);
    assert_eq!(export.stdout.lines().next(), Some("address,state,relay,code,enhanced,reply,at"));
    let exported: Vec<&str> = export.stdout.lines().skip(1).collect();
    assert_eq!(exported.len(), accepted);
    for line in exported {
        let address = line.split(',').next().unwrap();
        assert_eq!(copies.get(address), Some(&1), "{address}");
    }
}

/// Waits until the sink has taken so many; it writes each down before it says so.
fn accepted_at_least(sinks: &Folder, count: usize) {
    for _ in 0..3_000 {
        if sinks.path("a.jsonl").exists()
            && records(sinks, "a.jsonl").of(Kind::Accepted).count() >= count
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the sink never took {count}");
}

#[test]
fn ctrl_c_drains_and_the_next_run_goes_on() {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink("--latency 10ms --record a.jsonl");
    let folder = folder_with(400, &[("one", port, "\"none\"")]);
    folder.run("campaign schedule hello").ends(0);
    let run: Running = folder.start("campaign run hello");
    accepted_at_least(&sinks, 50);
    run.signal(Signal::INT);
    let ended = run.output();
    assert_eq!(ended.status.code(), Some(75));
    let stopped = folder.run("--format json campaign status hello").ends(0).json();
    assert_eq!((number(&stopped, "unknown"), number(&stopped, "leased")), (0, 0), "{stopped}");
    folder.run("campaign run hello").ends(0);
    let copies = copies(&sinks, &["a.jsonl"]);
    assert_eq!((copies.len(), copies.values().max()), (400, Some(&1)));
}

#[test]
fn explain_tells_each_recipients_story() {
    let sinks = Folder::empty();
    sinks.write("rules.toml", "[[rules]]\nat = \"rcpt\"\nrecipient = \"p1@example.org\"\nreply = \"550 5.1.1 No such user\"\n");
    let (_sink, port) = sinks.sink("--behaviour rules.toml --record a.jsonl");
    let folder = folder_with(3, &[("one", port, "\"none\"")]);
    folder.run("suppression add p2@example.org").ends(0);
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign run hello").ends(0);
    let story =
        |who: &str| folder.run(&format!("explain {who}@example.org --campaign hello")).ends(0);
    story("p0").says(&["accepted", "through one"]);
    story("p1").says(&["rejected", "550"]);
    story("p2").says(&["left out", "suppressed"]);
    let report = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!(report["left_out"]["suppressed"], 1);
    let retried = folder.run("--format json campaign retry hello --state rejected").ends(0).json();
    assert_eq!((&retried["reopened"], &retried["state"]), (&1.into(), &"running".into()));
    folder.run("campaign retry hello --state accepted").ends(64);
    folder.run("campaign pause hello").ends(0);
    folder.run("campaign run hello").ends(65).says(&["campaign resume hello"]);
    folder.run("campaign resume hello").ends(0);
    folder.run("db check").ends(0).says(&["balance"]);
}

#[test]
fn a_paused_relay_sends_nothing_until_it_is_resumed() {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink("--record a.jsonl");
    let folder = folder_with(5, &[("one", port, "\"none\"")]);
    folder.run("relay pause one --for 2h --reason moving").ends(0);
    folder.run("relay list").ends(0).says(&["moving"]);
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign run hello --no-wait").ends(75).says(&["moving"]);
    folder.run("relay resume one").ends(0);
    folder.run("campaign run hello").ends(0);
    assert_eq!(copies(&sinks, &["a.jsonl"]).len(), 5);
    folder.run("relay pause other").ends(66).says(&["it has: sink, one"]);
}
