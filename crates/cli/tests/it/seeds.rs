//! A campaign with seeds in a real Dovecot behind a real Postfix: Sieve files one provider's copies to Junk.

use crate::campaigns::folder_with;
use crate::folder::{Folder, Running};
use crate::serving::{get, serving_both};
use crate::ways::ends;
use postroad_testkit::dovecot::{self, Dovecot, PASSWORD};
use postroad_testkit::postfix::{self, Postfix, Route};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Everything of one provider is spam.
pub const FILING: &str = "require \"fileinto\";\n\
    if address :domain \"To\" \"y.test\" { fileinto \"Junk\"; }\n";

/// One seed at each of two pretended providers.
const TWO: [Seed<'static>; 2] = [("g", "seed@g.test", "google"), ("y", "seed@y.test", "yahoo")];

/// Name, address and provider.
pub type Seed<'a> = (&'a str, &'a str, &'a str);

/// A campaign over two relays that are one Postfix, with seeds.
pub fn seeded(dovecot: &Dovecot, seeds: &[Seed<'_>]) -> Option<(Folder, Folder, Postfix, Running)> {
    let sinks = Folder::empty();
    let (sink, port) = sinks.sink_words(&["--record", "a.jsonl"]);
    let world = SocketAddr::from(([127, 0, 0, 1], port));
    let route = |domain: &str, transport: &str, to| Route {
        domain: domain.into(),
        transport: transport.into(),
        to,
    };
    let routes = [
        route("g.test", "lmtp", dovecot.lmtp()),
        route("y.test", "lmtp", dovecot.lmtp()),
        route("*", "smtp", world),
    ];
    let postfix = postfix::spawn(&routes, "")?;
    let at = postfix.address();
    let folder = folder_with(10, &[("one", at.port(), "\"none\""), ("two", at.port(), "\"none\"")]);
    let text = folder.read("postroad.toml");
    let text = text.replace(
        &format!("host = \"127.0.0.1\"\nport = {}", at.port()),
        &format!("host = \"{}\"\nport = {}", at.ip(), at.port()),
    );
    folder.write("secrets/ca.pem", dovecot.authority_pem());
    folder.write("secrets/seed", PASSWORD);
    let imap = dovecot.imaps();
    let seed = |(name, address, provider): &Seed<'_>| {
        format!(
            "[[seed]]\nname = \"{name}\"\naddress = \"{address}\"\nprovider = \"{provider}\"\nhost = \"{}\"\n\
             port = {}\nca_file = \"secrets/ca.pem\"\npassword = {{ file = \"secrets/seed\" }}\nplus = true\n\n",
            imap.ip(),
            imap.port()
        )
    };
    let seeds: String = seeds.iter().map(seed).collect();
    folder.write("postroad.toml", text.replacen("[placement]", &format!("{seeds}[placement]"), 1));
    Some((folder, sinks, postfix, sink))
}

/// Looks until every copy that was sent was found.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process ends some time"
)]
fn found(folder: &Folder) -> Value {
    let begun = Instant::now();
    loop {
        let report = folder.run("--format json seed report --campaign hello --look").ends(0).json();
        if report["inbox"]["copies"].get("pending").is_none() {
            return report;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not found: {report}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_campaigns_seeds_show_where_it_landed() {
    let Some(dovecot) = dovecot::spawn_sieve(FILING) else { return };
    let Some((folder, _sinks, _postfix, _sink)) = seeded(&dovecot, &TWO) else { return };
    folder.run("config check").ends(0);
    folder.run("seed check").ends(0).says(&["g", "google", "ok", "INBOX", "Junk"]);
    folder.run("campaign check hello").ends(0).says(&["no seed looks at other"]);
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign run hello").ends(0);
    let report = found(&folder);
    let cells: Vec<Value> = report["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!([c["relay"], c["provider"], c["copies"]]))
        .collect();
    let expected = [
        json!(["one", "google", { "inbox": 1 }]),
        json!(["one", "yahoo", { "spam": 1 }]),
        json!(["two", "google", { "inbox": 1 }]),
        json!(["two", "yahoo", { "spam": 1 }]),
    ];
    assert_eq!(cells, expected, "{report}");
    assert_eq!(report["not_covered"].as_array().unwrap().len(), 2, "{report}");
    let whole = folder.run("--format json campaign report hello").ends(0).json();
    assert_eq!((&whole["accepted"], &whole["audience"]), (&json!(10), &json!(10)), "{whole}");
    assert_eq!(whole["seeds"], json!({ "total": 4, "accepted": 4 }));
    assert_eq!(whole["inbox"]["copies"], json!({ "inbox": 2, "spam": 2 }), "{whole}");
    let says =
        ["Seeds: 4 of 4", "2 inbox, 2 spam", "50 % (15 % to 85 %, n = 4)", "estimate", "0 % of"];
    folder.run("campaign status hello").ends(0).says(&says);
    folder.run("explain seed@g.test --campaign hello").ends(0).says(&["a seed", "landed: inbox"]);
    let says = ["Not covered: one x other", "relay two", "the last campaign", "n = 4"];
    folder.run("seed report --campaign hello").ends(0).says(&says);
    let rate = |of: &Value| [of["ratio"].clone(), of["samples"].clone()];
    assert_eq!(rate(&report["pooled"]["rate"]), [json!(0.5), json!(4)], "{report}");
    assert_eq!(rate(&report["pooled"]["providers"]["yahoo"]), [json!(0.0), json!(2)], "{report}");
    assert_eq!(rate(&report["inbox"]["relays"]["one"]), [json!(0.5), json!(2)], "{report}");
    let unseen = |domain, at| dovecot.unseen(domain, at);
    assert_eq!((unseen("g.test", ""), unseen("y.test", "Junk")), (2, 2), "nothing was read");
    let (serve, admin, _) = serving_both(&folder);
    let (_, metrics) = get(&admin, "/metrics");
    for line in [
        r#"postroad_seed_placements{campaign="hello",placement="inbox",provider="google",relay="one"} 1"#,
        r#"postroad_seed_placements{campaign="hello",placement="spam",provider="yahoo",relay="two"} 1"#,
        r#"postroad_seed_placements{campaign="hello",placement="inbox",provider="yahoo",relay="one"} 0"#,
        r#"postroad_inbox_ratio{campaign="hello",provider="yahoo",relay="all"} 0"#,
    ] {
        assert!(metrics.lines().any(|l| l == line), "no {line} in\n{metrics}");
    }
    ends(serve);
}

#[test]
fn a_seed_that_cannot_be_logged_into_is_told_of_and_fails_the_check() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let Some((folder, _sinks, _postfix, _sink)) = seeded(&dovecot, &TWO) else { return };
    folder.write("secrets/seed", "wrong");
    let checked = folder.run("seed check g").ends(77);
    checked.says(&["FAILED", "refused the login of seed@g.test"]);
    folder.run("seed check nobody").ends(78).says(&["nobody"]);
}
