//! A campaign through a real Postfix whose bounces come back on each way: a mailbox, the listener, a webhook.

use crate::campaigns::folder_with;
use crate::folder::{Folder, Running};
use crate::serving::serving_both;
use postroad_testkit::dovecot::{self, Dovecot, PASSWORD};
use postroad_testkit::loopback;
use postroad_testkit::postfix::{self, Postfix, Route};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A campaign to three people over a Postfix that bounces mail to p1, and hands bounces over there.
fn over_postfix(bounces_to: SocketAddr) -> Option<(Folder, Folder, Postfix, Running)> {
    over_postfix_with(bounces_to, 3, &["p1@example.org=550 5.1.1 No such user"], "")
}

/// The same with what the world replies, and more of Postfix' configuration.
pub fn over_postfix_with(
    bounces_to: SocketAddr,
    people: usize,
    replies: &[&str],
    main_cf: &str,
) -> Option<(Folder, Folder, Postfix, Running)> {
    let sinks = Folder::empty();
    let replies = replies.iter().flat_map(|reply| ["--reply", *reply]);
    let words: Vec<&str> = ["--record", "a.jsonl"].into_iter().chain(replies).collect();
    let (sink, port) = sinks.sink_words(&words);
    let route = |domain: &str, transport: &str, to: SocketAddr| Route {
        domain: domain.into(),
        transport: transport.into(),
        to,
    };
    let world = SocketAddr::from(([127, 0, 0, 1], port));
    let routes = [route("b.example.com", "lmtp", bounces_to), route("*", "smtp", world)];
    let postfix = postfix::spawn(&routes, main_cf)?;
    let at = postfix.address();
    let folder = folder_with(people, &[("postfix", at.port(), "\"none\"")]);
    folder.edit(
        &format!("host = \"127.0.0.1\"\nport = {}", at.port()),
        &format!("host = \"{}\"\nport = {}", at.ip(), at.port()),
    );
    folder.edit(
        "unsubscribe_mailto = \"unsub",
        "bounce_domain = \"b.example.com\"\nunsubscribe_mailto = \"unsub",
    );
    Some((folder, sinks, postfix, sink))
}

fn add(folder: &Folder, tables: &str) {
    let text = folder.read("postroad.toml");
    folder.write("postroad.toml", format!("{text}\n{tables}"));
}

/// Waits until the campaign's report counts so many bounced rows.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process ends some time"
)]
fn bounced(folder: &Folder, count: i64) {
    let begun = Instant::now();
    loop {
        let report = folder.run("--format json campaign report hello").ends(0).json();
        if report["bounced"].as_i64() == Some(count) {
            assert_eq!(report["imbalance"].as_i64(), Some(0), "{report}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no bounce came: {report}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn ends(serve: Running) {
    serve.signal(Signal::TERM);
    let ended = serve.output();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}

pub fn mailbox(folder: &Folder, dovecot: &Dovecot, name: &str, at: SocketAddr, more: &str) {
    folder.write("secrets/ca.pem", dovecot.authority_pem());
    folder.write("secrets/mailbox", PASSWORD);
    add(
        folder,
        &format!(
            "[[mailbox]]\nname = \"{name}\"\nhost = \"{}\"\nport = {}\ntls = \"implicit\"\n\
             ca_file = \"secrets/ca.pem\"\nusername = \"any@b.example.com\"\n\
             password = {{ file = \"secrets/mailbox\" }}\n{more}\n",
            at.ip(),
            at.port()
        ),
    );
}

#[test]
fn bounces_of_a_real_postfix_are_heard_of_through_a_mailbox() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let Some((folder, _sinks, _postfix, _sink)) = over_postfix(dovecot.lmtp()) else { return };
    mailbox(&folder, &dovecot, "back", dovecot.imaps(), "bounces = { move = \"Bounces\" }");
    mailbox(&folder, &dovecot, "again", dovecot.pop3s(), "protocol = \"pop3\"\npoll = \"1s\"");
    folder.run("mailbox check").ends(0).says(&["back", "INBOX", "0 messages", "again"]);
    let (serve, _admin, _public) = serving_both(&folder);
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign status hello --watch").ends(0);
    bounced(&folder, 1);
    ends(serve);
    assert_eq!(dovecot.count("b.example.com", "Bounces"), 1);
    folder.run("suppression list").ends(0).says(&["p1@example.org", "HardBounce"]);
    folder
        .run("explain p1@example.org --campaign hello")
        .ends(0)
        .says(&["bounce hard bad_mailbox"]);
    let checked = folder.run("--format json mailbox check back").ends(0).json();
    assert_eq!(checked[0]["ok"], true, "{checked}");
    folder.run("mailbox check nobody").ends(78).says(&["no [[mailbox]] named"]);
    folder.write("secrets/mailbox", "wrong");
    folder.run("mailbox check").ends(77).says(&["FAILED", "refused the login", "app password"]);
}

#[test]
fn bounces_of_a_real_postfix_are_heard_of_through_the_listener_and_a_webhook() {
    let listen = loopback::address();
    let Some((folder, _sinks, _postfix, _sink)) = over_postfix(listen) else { return };
    folder.write("secrets/token", "t0ken");
    add(
        &folder,
        &format!(
            "[bounce_listener]\nlisten = \"{listen}\"\nprotocol = \"lmtp\"\n\n\
             [[hook]]\nname = \"brevo\"\nkind = \"brevo\"\ntoken = {{ file = \"secrets/token\" }}\n"
        ),
    );
    folder.run("doctor").says(&["bounce_listener", "hook brevo"]);
    let (serve, _admin, public) = serving_both(&folder);
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign status hello --watch").ends(0);
    bounced(&folder, 1);
    let event =
        r#"{"event":"hard_bounce","email":"p2@example.org","reason":"550 5.1.1 no such user"}"#;
    let said = post(&public, "/hook/brevo?token=t0ken", event);
    assert!(said.contains(" 200 ") && said.ends_with("taken: 1\n"), "{said}");
    bounced(&folder, 2);
    assert!(post(&public, "/hook/brevo?token=guess", event).contains(" 401 "));
    ends(serve);
}

pub fn post(address: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
