//! What commands print with `--format json`, held against docs/schemas.
//!
//! Every value that any test reads is checked: it has each key that the command's schema requires, and none that the schema
//! does not describe. The tour here runs each command once, so that no schema stands unproven.

use crate::bounces::dsn;
use crate::folder::{Folder, Ran};
use jsonschema::{Registry, Validator};
use postroad_model::MailboxProvider;
use postroad_model::delivery::DeliveryState;
use postroad_model::placement::Placement;
use postroad_model::verdict::{BounceKind, Reason};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

/// Where the files stand for references among them.
const BASE: &str = "json-schema:///";
const SHARED: &str = "common";

/// The schemas as they are written.
static WRITTEN: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let schemas = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
    schemas
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect()
});

/// One for each command; keys that may be added later are refused, because today they are undescribed.
static STRICT: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let mut registry = Registry::new();
    for (name, schema) in &*WRITTEN {
        registry = registry.add(format!("{BASE}{name}.json"), strict(schema)).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let build = |name: &str| {
        let whole = json!({ "$ref": format!("{BASE}{name}.json") });
        let options = jsonschema::options().with_registry(&registry).offline();
        options.should_validate_formats(true).build(&whole).unwrap()
    };
    let commands = WRITTEN.keys().filter(|name| *name != SHARED);
    commands.map(|name| (name.clone(), build(name))).collect()
});

fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("additionalProperties", Value::Bool(true)) => (key.clone(), false.into()),
                (_, value) => (key.clone(), strict(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(strict).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

/// The schema of a command line, by its first words.
fn schema_of(line: &str) -> &'static str {
    let mut words = Vec::new();
    let mut rest = line.split_whitespace();
    while let Some(word) = rest.next() {
        if ["--format", "--config"].contains(&word) {
            rest.next();
        } else if !word.starts_with('-') {
            words.push(word);
        }
    }
    let (first, second) = (words[0], words.get(1).copied().unwrap_or_default());
    let noun = |end: &str| first.strip_suffix(end).unwrap_or(first).to_owned();
    let names = [noun(""), noun("s"), noun("es")].map(|noun| format!("{noun}-{second}"));
    let found = |name: &String| STRICT.get_key_value(name).map(|(name, _)| name.as_str());
    let found = names.iter().find_map(found).or_else(|| found(&first.to_owned()));
    found.unwrap_or_else(|| panic!("docs/schemas has none for postroad {line}"))
}

/// Fails the test when a value is not what the command's schema says.
#[track_caller]
pub fn check(line: &str, value: &Value) {
    let name = schema_of(line);
    let wrong: Vec<String> = STRICT[name]
        .iter_errors(value)
        .map(|e| format!("at {:?}: {e}", e.instance_path().to_string()))
        .collect();
    assert!(wrong.is_empty(), "postroad {line} is not as {name}.json says: {wrong:#?}\n{value:#}");
}

#[test]
fn the_schemas_are_valid_and_described() {
    fn described(name: &str, at: &str, schema: &Value) {
        let Value::Object(map) = schema else { return };
        let properties = map.get("properties").and_then(Value::as_object);
        for (key, property) in properties.into_iter().flatten() {
            let at = format!("{at}.{key}");
            let told = ["description", "$ref", "const"].iter().any(|k| property.get(k).is_some());
            let inner = property.get("type") == Some(&"object".into());
            assert!(told || inner, "{name}.json: {at} has no description");
            described(name, &at, property);
        }
        for (key, inner) in map.iter().filter(|(key, _)| *key != "properties") {
            described(name, &format!("{at}/{key}"), inner);
        }
    }
    for (name, schema) in &*WRITTEN {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert!(jsonschema::meta::is_valid(schema), "{name}.json is no JSON Schema");
        let told = ["title", "description"].map(|key| schema[key].is_string());
        assert_eq!(told, [true, true], "{name}.json has no title or description");
        described(name, "", schema);
    }
}

#[test]
fn the_words_in_the_schemas_are_those_of_the_program() {
    let check = |name: &str, words: Vec<&str>| {
        assert_eq!(WRITTEN[SHARED]["$defs"][name]["enum"], json!(words), "{name}");
    };
    check("delivery_state", DeliveryState::ALL.iter().map(|s| s.as_str()).collect());
    check("bounce_kind", BounceKind::ALL.iter().map(|k| k.as_str()).collect());
    check("reason", Reason::all().map(Reason::as_str).collect());
    check("provider", MailboxProvider::ALL.iter().map(|p| p.as_str()).collect());
    let places = WRITTEN[SHARED]["$defs"]["placements"]["properties"].as_object().unwrap();
    let places: BTreeSet<&str> = places.keys().map(String::as_str).collect();
    assert_eq!(places, Placement::ALL.iter().map(|p| p.as_str()).collect());
}

/// Checked by tests of their own: they need a server, or a minute.
const ELSEWHERE: [&str; 2] = ["demo", "reload"];

struct Tour {
    folder: Folder,
    seen: BTreeSet<&'static str>,
}

impl Tour {
    #[track_caller]
    fn run(&mut self, line: &str) -> Ran {
        self.seen.insert(schema_of(line));
        self.folder.run(&format!("--format json {line}")).ends(0)
    }

    #[track_caller]
    fn one(&mut self, line: &str) -> Value {
        self.run(line).json()
    }

    #[track_caller]
    fn lines(&mut self, line: &str, count: usize) {
        assert_eq!(self.run(line).json_lines().len(), count, "{line}");
    }

    fn ones(&mut self, lines: &[&str]) {
        lines.iter().for_each(|line| drop(self.one(line)));
    }
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let mut tour = Tour { folder: Folder::empty(), seen: BTreeSet::new() };
    tour.ones(&["init", "config check", "config show", "db migrate", "doctor"]);
    tour.ones(&["mailbox check", "seed check"]);
    people(&mut tour);
    campaigns(&mut tour);
    came_back(&mut tour);
    tour.ones(&["relay list", "relay test", "relay pause sink --for 1h", "relay list"]);
    tour.ones(&["relay resume sink", "dkim generate example.com --algorithm both"]);
    tour.folder.edit(
        "name = \"example.com\"",
        "name = \"example.com\"\ndkim = [{ selector = \"s1\", key_file = \"keys/example.com-s1.pem\" }]\n",
    );
    tour.ones(&["dkim record", "contact erase anna@example.com --yes", "contact undo-import 1"]);
    tour.lines("suppression list", 3);
    let (_sink, _port) = tour.folder.sink("");
    tour.seen.insert("sink");
    let all: BTreeSet<&str> = STRICT.keys().map(String::as_str).collect();
    let unseen: Vec<&&str> =
        all.difference(&tour.seen).filter(|name| !ELSEWHERE.contains(name)).collect();
    assert!(unseen.is_empty(), "the tour leaves out {unseen:?}");
}

fn people(tour: &mut Tour) {
    tour.folder.write("more.csv", "email;shoe size\nno address\ndo@example.org;39\n");
    let imported = tour.one("contact import contacts.csv --list readers");
    assert_eq!(imported["added"], 3, "{imported}");
    tour.ones(&["contact import more.csv --list vip --dry-run", "contact show anna@example.com"]);
    tour.lines("contact export", 3);
    tour.lines("contact export --list readers", 3);
    tour.ones(&["list create vip", "list list", "list show vip", "list rename vip gold"]);
    tour.ones(&["list create mistake", "list delete mistake"]);
    tour.folder.write("never.txt", "never@example.org\nnot an address\n");
    tour.ones(&["suppression add bob@example.com", "suppression import never.txt"]);
    tour.ones(&["suppression add gone@example.org --list gold --reason hard-bounce"]);
    tour.lines("suppression list", 3);
    tour.lines("suppression export", 3);
    tour.lines("suppression list --address bob@example.com", 1);
    tour.ones(&["contact show bob@example.com", "suppression remove bob@example.com"]);
}

fn campaigns(tour: &mut Tour) {
    tour.ones(&["campaign new hello --list readers", "campaign check hello"]);
    tour.ones(&["campaign plan hello", "campaign test hello --to me@example.com"]);
    tour.ones(&["campaign schedule hello --dry-run", "campaign schedule hello"]);
    // One a day: it starts, and there is something left to be paused.
    let one = "profile = \"sink\"\nlimits = [{ amount = 1, per = \"24h\" }]";
    tour.folder.edit("profile = \"sink\"", one);
    tour.folder.run("--format json campaign run hello --no-wait").ends(75).json();
    tour.ones(&["campaign status hello", "campaign pause hello", "campaign status hello"]);
    tour.folder.edit(one, "profile = \"sink\"");
    tour.ones(&["campaign resume hello", "campaign run hello", "campaign report hello"]);
    tour.one("seed report --campaign hello");
    tour.lines("campaign status hello --watch", 1);
    tour.ones(&["campaign retry hello --state rejected", "campaign list"]);
    tour.lines("campaign export hello", 3);
    tour.ones(&["explain anna@example.com --campaign hello", "db check", "top"]);
    tour.one("campaign report hello --html hello.html");
    tour.ones(&[
        "campaign new later --list readers",
        "campaign schedule later --at 2090-01-01T09:00Z",
    ]);
    tour.ones(&["campaign plan later", "campaign report later", "campaign list"]);
    tour.ones(&["campaign cancel later", "campaign report later"]);
}

fn came_back(tour: &mut Tour) {
    let gone = dsn("b@x.test", "a@y.test", "5.1.1", "550 5.1.1 User unknown");
    let begin = "From x Mon Nov 23 02:00:00 2026\n";
    let nobody = "From: MAILER-DAEMON@mx.test\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender\n\n\
                  Your message could not be delivered.\n";
    tour.folder.write("mails.mbox", format!("{begin}{gone}\n{begin}{gone}\n{begin}{nobody}"));
    tour.run("bounce classify mails.mbox").json_lines();
    let told = tour.one("bounce explain mails.mbox");
    assert!(told.as_array().is_some_and(|all| all.len() >= 2), "{told}");
    tour.ones(&["bounce process --mbox mails.mbox", "bounce list"]);
    assert_eq!(tour.one("bounce review").as_array().map(Vec::len), Some(1));
}
