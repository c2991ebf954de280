//! The inbox rate from end to end: a campaign through three real Postfixes with seeds in a real Dovecot, one provider of
//! which begins to file one relay's mail to Junk in the middle; a real Prometheus watches `serve`.
//!
//! The judge is what lies in Dovecot's folders. What `seed report`, /metrics and Prometheus tell is held against it.

use crate::campaigns::folder_with;
use crate::folder::{Folder, Running};
use crate::opens::{PROXY, images, with_html};
use crate::serving::{get_as, serving_both};
use crate::ways::{ends, post};
use postroad_testkit::deploy::{filled_in, queries, read, recorded};
use postroad_testkit::dovecot::{self, Dovecot, PASSWORD};
use postroad_testkit::name_server::{self, Record, Says};
use postroad_testkit::postfix::{self, Postfix, Route};
use postroad_testkit::prometheus::{self, Prometheus};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const RELAYS: [&str; 3] = ["north", "south", "west"];
/// Pretended mailboxes of each provider, as many as let each relay have four: `g1.test`, `m1.test` and so on.
const PROVIDERS: [(&str, &str); 2] = [("g", "google"), ("m", "microsoft")];
const MAILBOXES: usize = 12;
const PEOPLE: usize = 250;
/// So that the run has a middle.
const LIMITS: &str =
    "[{ amount = 100000, unit = \"recipients\", per = \"24h\" }, { amount = 10, per = \"1s\" }]";

/// Copies by relay, provider and place.
type Cells = BTreeMap<(String, String, String), u64>;

/// What the receiving side says of the sender, and where it files: all to the inbox at first.
const ALL_GOOD: &str = "require \"editheader\";\n\
    addheader \"Authentication-Results\" \"mx.test; spf=pass; dkim=fail; dmarc=pass\";\n";
const WEST_IS_SPAM: &str = "require [\"fileinto\", \"editheader\"];\n\
    addheader \"Authentication-Results\" \"mx.test; spf=pass; dkim=fail; dmarc=pass\";\n\
    if allof(header :contains \"Received\" \"by relay-west.test\", address :domain :matches \"To\" \"g*.test\")\n\
    { fileinto \"Junk\"; }\n";
const GOOGLE_IS_SPAM: &str = "require [\"fileinto\", \"editheader\"];\n\
    addheader \"Authentication-Results\" \"mx.test; spf=pass; dkim=fail; dmarc=pass\";\n\
    if address :domain :matches \"To\" \"g*.test\" { fileinto \"Junk\"; }\n";

/// What lives as long as the test.
struct World {
    folder: Folder,
    dovecot: Dovecot,
    _relays: Vec<Postfix>,
    sinks: Folder,
    _sink: Running,
}

/// Three Postfixes that say their names in Received, and refuse one reader.
fn relays(dovecot: &Dovecot, world: SocketAddr) -> Option<Vec<Postfix>> {
    let route =
        |domain: String, transport: &str, to| Route { domain, transport: transport.into(), to };
    let mut routes: Vec<Route> =
        seeds().map(|(name, _)| route(format!("{name}.test"), "lmtp", dovecot.lmtp())).collect();
    routes.push(route("*".into(), "smtp", world));
    let gone: Vec<String> = (0..PEOPLE)
        .step_by(25)
        .map(|n| format!("{{p{n}@example.org=550 5.1.1 User unknown}}"))
        .collect();
    let gone = gone.join(", ");
    let more = |name: &str| {
        format!(
            "myhostname = relay-{name}.test\nsmtpd_recipient_restrictions = check_recipient_access \
             inline:{{{gone}}}, permit"
        )
    };
    RELAYS.iter().map(|name| postfix::spawn(&routes, &more(name))).collect()
}

/// Name and provider of each.
fn seeds() -> impl Iterator<Item = (String, &'static str)> {
    PROVIDERS.iter().flat_map(|(letter, provider)| {
        (1..=MAILBOXES).map(move |n| (format!("{letter}{n}"), *provider))
    })
}

fn seed_tables(dovecot: &Dovecot) -> String {
    let imap = dovecot.imaps();
    let mut tables = String::new();
    for (name, provider) in seeds() {
        tables.push_str(&format!(
            "[[seed]]\nname = \"{name}\"\naddress = \"one@{name}.test\"\nprovider = \"{provider}\"\nhost = \"{}\"\n\
             port = {}\nca_file = \"secrets/ca.pem\"\npassword = {{ file = \"secrets/seed\" }}\n\n",
            imap.ip(),
            imap.port()
        ));
    }
    tables
}

fn world() -> Option<World> {
    let dovecot = dovecot::spawn_sieve(ALL_GOOD)?;
    let sinks = Folder::empty();
    let (sink, port) = sinks.sink_words(&["--record", "a.jsonl", "--keep", "kept"]);
    let relays = relays(&dovecot, SocketAddr::from(([127, 0, 0, 1], port)))?;
    let at: Vec<SocketAddr> = relays.iter().map(Postfix::address).collect();
    let named: Vec<(&str, u16, &str)> =
        RELAYS.iter().zip(&at).map(|(name, at)| (*name, at.port(), LIMITS)).collect();
    let folder = folder_with(PEOPLE, &named);
    let mut text = folder.read("postroad.toml");
    for at in &at {
        text = text.replace(
            &format!("host = \"127.0.0.1\"\nport = {}\n", at.port()),
            &format!("host = \"{}\"\nport = {}\n", at.ip(), at.port()),
        );
    }
    folder.write("postroad.toml", &text);
    with_html(&folder);
    let text = folder.read("postroad.toml");
    folder.write("secrets/ca.pem", dovecot.authority_pem());
    folder.write("secrets/seed", PASSWORD);
    let zone = vec![("example.com".to_owned(), Record::Txt("v=spf1 a -all".into()))];
    let names = name_server::serve(Says::Zone(zone));
    let hook =
        "[[hook]]\nname = \"brevo\"\nkind = \"brevo\"\ntoken = { file = \"secrets/token\" }\n\n";
    let dns = format!("[dns]\nservers = [\"{names}\"]\n\n");
    folder.write("secrets/token", "t0ken");
    let with_seeds = format!("{dns}{}{hook}[placement]", seed_tables(&dovecot));
    folder.write("postroad.toml", text.replacen("[placement]", &with_seeds, 1));
    // Readers at the providers that the seeds stand for; their mail goes to the sink like all other.
    let mut csv = String::from("email,name\n");
    for n in 0..PEOPLE {
        let domain = if n % 2 == 0 { "gmail.com" } else { "outlook.com" };
        csv.push_str(&format!("q{n}@{domain},Person {n}\n"));
    }
    folder.write("readers.csv", csv);
    folder.run("contact import readers.csv --list readers").ends(0);
    Some(World { folder, dovecot, _relays: relays, sinks, _sink: sink })
}

/// A Prometheus with our rules, whose alerts wait for nothing.
fn watch(admin: &str) -> Option<Prometheus> {
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"postroad-*.yml\"]\n\
         scrape_configs:\n  - job_name: postroad\n    static_configs: [{{ targets: [\"{admin}\"] }}]\n"
    );
    let recording = read("deploy/prometheus/rules/postroad-recording.yml")
        .replace("interval: 30s", "interval: 1s");
    let alerts: String = read("deploy/prometheus/rules/postroad-alerts.yml")
        .lines()
        .filter(|line| !line.trim().starts_with("for:"))
        .map(|line| format!("{line}\n"))
        .collect();
    prometheus::spawn(&[
        ("prometheus.yml", &config),
        ("postroad-recording.yml", &recording),
        ("postroad-alerts.yml", &alerts),
    ])
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process ends some time"
)]
fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(begun.elapsed() < Duration::from_secs(200), "{what}: {seen}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn shown(folder: &Folder, line: &str) -> Value {
    folder.run(&format!("--format json {line}")).ends(0).json()
}

/// Copies by relay, provider and place, as they lie in Dovecot's folders; of one campaign, by its subject.
fn lying(dovecot: &Dovecot, subject: &str) -> Cells {
    let mut cells = BTreeMap::new();
    for (name, provider) in seeds() {
        for (folder, place) in [("", "inbox"), ("Junk", "spam")] {
            for mail in dovecot.messages(&format!("{name}.test"), folder) {
                if !mail.contains(&format!("\nSubject: {subject}")) {
                    continue;
                }
                let relay = RELAYS.iter().find(|r| mail.contains(&format!("by relay-{r}.test")));
                let key = (relay.unwrap().to_string(), provider.to_owned(), place.to_owned());
                *cells.entry(key).or_default() += 1;
            }
        }
    }
    cells
}

/// The same as `seed report` tells it.
fn reported(report: &Value) -> Cells {
    let mut cells = BTreeMap::new();
    for cell in report["cells"].as_array().unwrap() {
        for (place, n) in cell["copies"].as_object().unwrap() {
            let key = ["relay", "provider"].map(|k| cell[k].as_str().unwrap().to_owned());
            let [relay, provider] = key;
            cells.insert((relay, provider, place.clone()), n.as_u64().unwrap());
        }
    }
    cells
}

/// The same as Prometheus has it.
fn scraped(prometheus: &Prometheus, campaign: &str) -> Cells {
    let query = format!("postroad_seed_placements{{campaign=\"{campaign}\"}} > 0");
    let mut cells = BTreeMap::new();
    for series in prometheus.query(&query) {
        let [relay, provider, place] = ["relay", "provider", "placement"]
            .map(|label| series["metric"][label].as_str().unwrap().to_owned());
        let n = series["value"][1].as_str().unwrap().parse::<f64>().unwrap();
        cells.insert((relay, provider, place), n as u64);
    }
    cells
}

/// Looks until every copy of a campaign that is over was found.
fn found(folder: &Folder, campaign: &str) -> Value {
    until("every copy", || {
        let report = shown(folder, &format!("seed report --campaign {campaign} --look"));
        let copies = report["inbox"]["copies"].as_object().cloned().unwrap_or_default();
        let waits = ["pending", "not_sent"].iter().any(|place| copies.contains_key(*place));
        if waits || copies.is_empty() { Err(report.to_string()) } else { Ok(report) }
    })
}

fn prometheus_agrees(prometheus: &Prometheus, campaign: &str, truth: &Cells) {
    until("Prometheus", || {
        let seen = scraped(prometheus, campaign);
        if seen == *truth { Ok(()) } else { Err(format!("{seen:?} instead of {truth:?}")) }
    });
}

fn of(truth: &Cells, wanted: &str) -> u64 {
    truth.iter().filter(|((.., place), _)| place == wanted).map(|(_, n)| n).sum()
}

fn told(folder: &Folder, truth: &Cells) {
    let (inbox, spam) = (of(truth, "inbox"), of(truth, "spam"));
    let words = format!("{inbox} inbox, {spam} spam");
    folder.run("campaign status hello").ends(0).says(&["Seeds: 24 of 24", &words]);
    let report = shown(folder, "campaign report hello");
    assert_eq!(report["inbox"]["copies"], json!({ "inbox": inbox, "spam": spam }), "{report}");
    assert_eq!(report["imbalance"], 0, "{report}");
}

/// Readers open it, and each is seen by Prometheus.
fn people_open(world: &World, public: &str, prometheus: &Prometheus) {
    let mut opened = 0;
    for n in (1..PEOPLE).step_by(40) {
        let to = format!("p{n}@example.org");
        // The relay may still hold it.
        let image =
            until(&to, || images(&world.sinks, &to).pop().ok_or_else(|| "not there".into()));
        assert_eq!(get_as(public, &image, PROXY).0, 200);
        opened += 1;
    }
    let query =
        "sum(postroad_campaign_opens{campaign=\"hello\",kind=\"proxy\",provider=\"other\"})";
    until("the opens", || {
        let seen = prometheus.query(query);
        let n = seen.first().and_then(|s| s["value"][1].as_str()?.parse().ok());
        if n == Some(opened) { Ok(()) } else { Err(format!("{seen:?} instead of {opened}")) }
    });
}

fn every_panel_has_data(prometheus: &mut Prometheus) {
    // The campaign is over since a while.
    let asked = |expression: &str| filled_in(expression, "hello").replace("[10s]", "[5m]");
    let panels: BTreeMap<String, String> =
        queries().into_iter().map(|q| (asked(&q.expression), q.of)).collect();
    let asked: Vec<String> = panels.keys().cloned().chain(recorded()).collect();
    let empty = prometheus.without_data(&asked);
    let empty: Vec<String> = empty
        .iter()
        .map(|query| format!("{}\n    {query}", panels.get(query).map_or("a rule", |of| of)))
        .collect();
    assert!(
        empty.is_empty(),
        "{} of {} draw nothing:\n  {}",
        empty.len(),
        asked.len(),
        empty.join("\n  ")
    );
}

/// The next campaign goes first to a few; what they show stops it, and says so everywhere.
fn the_canary_holds(world: &World, prometheus: &Prometheus) {
    let World { folder, dovecot, .. } = world;
    dovecot.script(GOOGLE_IS_SPAM);
    folder.run("campaign new next --list readers --pool real --template newsletter").ends(0);
    folder
        .run("campaign schedule next --canary-share 5% --canary-wait 5m --canary-min-inbox 0.8")
        .ends(0);
    let held = until("the canary", || {
        let report = shown(folder, "campaign report next");
        if report["state"] == "held" { Ok(report) } else { Err(report.to_string()) }
    });
    let accepted = held["accepted"].as_u64().unwrap();
    assert!(accepted < PEOPLE as u64 / 4, "only the share went: {held}");
    let truth = lying(dovecot, "Person");
    assert!(of(&truth, "spam") > 0, "{truth:?}");
    folder.run("campaign resume next").ends(65).says(&["--anyway"]);
    folder.run("relay list").ends(0).says(&["not to google", "inbox 0 %"]);
    until("the alert", || {
        let firing = prometheus.query("ALERTS{alertstate=\"firing\",campaign=\"next\"}");
        let names: Vec<_> = firing.iter().map(|a| a["metric"]["alertname"].clone()).collect();
        if names.iter().any(|n| n == "PostroadInboxRateLow") {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    });
}

#[test]
fn the_inbox_rate_is_measured_shown_and_acted_on() {
    let Some(world) = world() else { return };
    let World { folder, dovecot, .. } = &world;
    folder.run("seed check").ends(0).says(&["g1", "m4", "INBOX", "Junk"]);
    let (serve, admin, public) = serving_both(folder);
    let Some(mut prometheus) = watch(&admin) else { return };
    folder.run("campaign schedule hello --track-opens --template body.html").ends(0);
    until("the middle", || {
        let report = shown(folder, "campaign report hello");
        let accepted = report["accepted"].as_u64().unwrap_or(0);
        if accepted * 5 > PEOPLE as u64 * 4 { Ok(()) } else { Err(report.to_string()) }
    });
    dovecot.script(WEST_IS_SPAM);
    let report = found(folder, "hello");
    let truth = lying(dovecot, "We are moving");
    assert_eq!(reported(&report), truth, "{report}");
    assert!(of(&truth, "spam") > 0 && of(&truth, "inbox") > 12, "{truth:?}");
    assert_eq!(truth.values().sum::<u64>(), 24, "{truth:?}");
    prometheus_agrees(&prometheus, "hello", &truth);
    told(folder, &truth);
    people_open(&world, &public, &prometheus);
    the_canary_holds(&world, &prometheus);
    // Some of these may have got the next campaign already, and complain of that one then.
    for n in [2, 4, 6, 8] {
        let complaint = format!("{{\"event\":\"spam\",\"email\":\"q{n}@gmail.com\"}}");
        let said = post(&public, "/hook/brevo?token=t0ken", &complaint);
        assert!(said.contains(" 200 "), "{said}");
    }
    folder.run("relay pause north --for 1h").ends(0);
    every_panel_has_data(&mut prometheus);
    folder.run("campaign resume next --anyway").ends(0);
    folder.run("campaign report next").ends(0).says(&["canary"]);
    ends(serve);
}
