//! `serve`: engine and pages in one process, drained by SIGTERM.

use crate::campaigns::folder_with;
use crate::folder::{Folder, Running};
use postroad_testkit::name_server::{self, Says};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

pub fn serving(folder: &Folder) -> (Running, String) {
    let (serve, admin, _) = serving_both(folder);
    (serve, admin)
}

/// The admin listener's address, then the public one's.
pub fn serving_both(folder: &Folder) -> (Running, String, String) {
    folder.edit("#admin_listen", "admin_listen = \"127.0.0.1:0\"\n#admin_listen");
    folder.edit("#public_listen", "public_listen = \"127.0.0.1:0\"\n#public_listen");
    let mut serve = folder.start("serve");
    let said = serve.stderr_until("postroad serves");
    let admin = said.rsplit("metrics on http://").next().unwrap();
    let admin = admin.split('/').next().unwrap().to_owned();
    let public = said.rsplit("unsubscribes on http://").next().unwrap();
    let public = public.split(',').next().unwrap().to_owned();
    (serve, admin, public)
}

pub fn get(address: &str, path: &str) -> (u16, String) {
    get_as(address, path, "tests")
}

/// The same by a program that calls itself so.
pub fn get_as(address: &str, path: &str, agent: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let fields = format!("Host: {address}\r\nUser-Agent: {agent}\r\nConnection: close");
    write!(stream, "GET {path} HTTP/1.1\r\n{fields}\r\n\r\n").unwrap();
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    let text = String::from_utf8_lossy(&octets).into_owned();
    (text[9..12].parse().unwrap(), text)
}

#[test]
fn serve_sends_what_is_scheduled_shows_metrics_and_drains() {
    let folder = Folder::ready();
    folder.run("contact import contacts.csv --list readers").ends(0);
    folder.run("campaign new hello --list readers").ends(0);
    let (serve, admin) = serving(&folder);
    assert_eq!(get(&admin, "/healthz").0, 200);
    folder.run("campaign schedule hello").ends(0).says(&["A node is running"]);
    folder.run("campaign status hello --watch").ends(0).says(&["finished"]);
    let (code, metrics) = get(&admin, "/metrics");
    assert_eq!(code, 200);
    for counted in [
        "postroad_messages_total",
        "postroad_smtp_replies_total",
        "postroad_send_duration_seconds_count",
        "postroad_delivery_delay_seconds_count",
    ] {
        let series = metrics.lines().filter(|line| line.starts_with(counted));
        assert!(series.filter(|line| !line.ends_with(" 0")).count() > 0, "{counted}: {metrics}");
    }
    assert!(!metrics.contains("anna@"), "no address is a label");
    // Another engine on the same file is refused, and a test is sent by the one that runs.
    folder.run("campaign run hello").ends(75);
    folder
        .run("campaign test hello --to me@example.com")
        .ends(0)
        .says(&["another postroad", "accepted"]);
    serve.signal(Signal::TERM);
    let ended = serve.output();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// A seed whose server takes connections and says nothing, so that a look is under way when `serve` is stopped.
#[test]
fn a_look_into_a_slow_mailbox_keeps_nothing_going_that_was_told_to_stop() {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink("--record a.jsonl");
    let limits = "[{ amount = 5, per = \"1s\" }, { amount = 1000, per = \"24h\" }]";
    let folder = folder_with(300, &[("one", port, limits)]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let seed = format!(
        "[[seed]]\nname = \"slow\"\naddress = \"seed@example.net\"\nprovider = \"google\"\nhost = \"127.0.0.1\"\n\
         port = {}\ntls = \"none\"\npassword = {{ file = \"secrets/seed\" }}\n\n",
        silent.local_addr().unwrap().port()
    );
    folder.write("secrets/seed", "x").edit("[placement]", &format!("{seed}[placement]"));
    folder.run("campaign schedule hello").ends(0);
    let (serve, _) = serving(&folder);
    let _look = silent.accept().unwrap();
    let accepted = || {
        let report = folder.run("--format json campaign status hello").ends(0).json();
        report["accepted"].as_i64().unwrap()
    };
    while accepted() == 0 {}
    serve.signal(Signal::TERM);
    let before = accepted();
    assert_eq!(serve.output().status.code(), Some(0));
    // The look is awaited for ten seconds: fifty messages.
    let after = accepted();
    assert!(after - before < 15, "{before}, then {after}");
}

#[test]
fn limits_are_reloaded_without_a_restart() {
    let folder = Folder::ready();
    let (mut serve, _) = serving(&folder);
    folder
        .edit("profile = \"sink\"", "profile = \"sink\"\nlimits = [{ amount = 7, per = \"24h\" }]");
    serve.signal(Signal::HUP);
    serve.stderr_until("reloaded");
    folder.run("relay list").ends(0).says(&["0 of 7 in 24h"]);
    serve.signal(Signal::TERM);
    assert_eq!(serve.output().status.code(), Some(0));
}

#[test]
fn a_reload_tells_what_holds_now_and_a_broken_file_never_reaches_the_running_serve() {
    let folder = Folder::ready();
    folder.run("reload").ends(69).says(&["no `postroad serve` of this database"]);
    let (serve, _) = serving(&folder);
    let told = |of: &Folder| of.run("--format json reload").ends(0).json()["nodes"][0].clone();
    assert_eq!(told(&folder)["changed"], false);
    folder
        .edit("profile = \"sink\"", "profile = \"sink\"\nlimits = [{ amount = 7, per = \"24h\" }]");
    let first = told(&folder);
    assert_eq!(first["needs_restart"], serde_json::json!([]), "{first}");
    assert!(first["taken_over"][0].as_str().unwrap().contains("7 in 24h, is new"), "{first}");
    folder.run("relay list").ends(0).says(&["0 of 7 in 24h"]);
    folder
        .edit("amount = 7", "amount = 9")
        .edit("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"");
    folder.run("reload").ends(0).says(&["9 in 24h, was 7 in 24h", "next start: web."]);
    folder.edit("amount = 9", "amount = \"many\"");
    folder.run("reload").ends(78).says(&["postroad.toml:", "amount", "keeps what it has"]);
    folder.run("config check").ends(78);
    folder.edit("amount = \"many\"", "amount = 8");
    folder.write("other.toml", folder.read("postroad.toml"));
    folder.run("--config other.toml reload").ends(64).says(&["nothing is reloaded"]);
    folder.edit("amount = 8", "amount = 5");
    // What waits for a restart is told again until there is one.
    let last = told(&folder);
    assert_eq!(last["needs_restart"].as_array().map(Vec::len), Some(1), "{last}");
    folder.run("relay list").ends(0).says(&["0 of 5 in 24h"]);
    serve.signal(Signal::TERM);
    assert_eq!(serve.output().status.code(), Some(0));
    folder.run("reload").ends(69);
}

#[test]
fn a_reload_leaves_a_process_alone_that_the_signal_would_end() {
    let folder = Folder::ready();
    folder.run("contact import contacts.csv --list readers").ends(0);
    folder.run("campaign new hello --list readers").ends(0);
    folder
        .edit("profile = \"sink\"", "profile = \"sink\"\nlimits = [{ amount = 1, per = \"24h\" }]");
    folder.run("campaign schedule hello").ends(0);
    let mut run = folder.start("campaign run hello");
    run.stderr_until("all quota is used");
    folder.run("reload").ends(69);
    run.signal(Signal::TERM);
    assert_eq!(run.output().status.code(), Some(75));
}

/// Needs no campaign: `serve` alone finds out, from the name server that the configuration names.
#[test]
fn serve_asks_who_hosts_the_domains_of_contacts() {
    let folder = Folder::ready();
    folder.write("people.csv", "email\nanna@company.example\n");
    folder.run("contact import people.csv --list staff").ends(0);
    folder.run("contact show anna@company.example").ends(0).says(&["provider   other"]);
    let server = name_server::serve(Says::Hosts(vec![(1, "aspmx.l.google.com")]));
    folder.edit("#[dns]\n#servers = \"system\"", &format!("[dns]\nservers = [\"{server}\"]"));
    let (mut serve, _) = serving(&folder);
    serve.stderr_until("looked up who hosts mailboxes");
    folder.run("contact show anna@company.example").ends(0).says(&["provider   google"]);
    serve.signal(Signal::TERM);
    assert_eq!(serve.output().status.code(), Some(0));
}
