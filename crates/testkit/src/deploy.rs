//! The files of deploy/grafana and deploy/prometheus, as tests of several crates see them.
//!
//! `metrics` holds them against its names, `cli` against a campaign that a real Prometheus watched.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The dashboards: file, uid, title. Links and bookmarks hold the uids: they never change.
pub const DASHBOARDS: [(&str, &str, &str); 4] = [
    ("campaign", "postroad-campaign", "Postroad / Campaign"),
    ("relays", "postroad-relays", "Postroad / Relays"),
    ("deliverability", "postroad-deliverability", "Postroad / Deliverability"),
    ("engine", "postroad-engine", "Postroad / Engine"),
];

/// One query of a panel.
#[derive(Debug)]
pub struct Query {
    /// Dashboard and panel.
    pub of: String,
    /// In PromQL, with Grafana's variables.
    pub expression: String,
}

/// A path of the repository.
#[must_use]
pub fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A file of the repository.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn read(path: &str) -> String {
    std::fs::read_to_string(folder(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A dashboard by the name of its file.
///
/// # Panics
/// When it cannot be read as JSON.
#[must_use]
pub fn dashboard(name: &str) -> Value {
    serde_json::from_str(&read(&format!("deploy/grafana/dashboards/{name}.json")))
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The elements of a list; none when it is no list.
#[must_use]
pub fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty when it is none.
#[must_use]
pub fn text(of: &Value) -> &str {
    of.as_str().unwrap_or_default()
}

/// The panels that draw something.
pub fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).iter().filter(|p| p["type"] != "row")
}

/// Every query of every dashboard.
#[must_use]
pub fn queries() -> Vec<Query> {
    let mut all = Vec::new();
    for (name, ..) in DASHBOARDS {
        for panel in panels(&dashboard(name)) {
            for target in list(&panel["targets"]) {
                let of = format!("{name}: {} {}", text(&panel["title"]), text(&target["refId"]));
                all.push(Query { of, expression: text(&target["expr"]).to_owned() });
            }
        }
    }
    all
}

/// A query as Prometheus gets it, for one campaign and everything else.
#[must_use]
pub fn filled_in(expression: &str, campaign: &str) -> String {
    expression
        .replace("$__rate_interval", "10s")
        .replace("$__range", "10m")
        .replace("$campaign", campaign)
        .replace("$relay", ".+")
        .replace("$provider", ".+")
}

/// What the recording rules make.
#[must_use]
pub fn recorded() -> BTreeSet<String> {
    let rules = read("deploy/prometheus/rules/postroad-recording.yml");
    rules.lines().filter_map(|l| l.trim().strip_prefix("- record: ")).map(str::to_owned).collect()
}
