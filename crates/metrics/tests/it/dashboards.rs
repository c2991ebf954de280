//! The dashboards of deploy/grafana: their form, and that each query speaks of what is published.

use crate::deploy::{definition, findings, uses};
use postroad_testkit::deploy::{
    DASHBOARDS, dashboard, filled_in, folder, list, panels, queries, read, text,
};
use postroad_testkit::prometheus::promtool;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

#[track_caller]
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}

#[test]
fn each_file_is_a_dashboard_that_is_known_and_none_is_forgotten() {
    let files = std::fs::read_dir(folder("deploy/grafana/dashboards")).unwrap();
    let files: BTreeSet<String> =
        files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    let known = DASHBOARDS.map(|(name, ..)| format!("{name}.json"));
    assert_eq!(files, BTreeSet::from(known));
    for (name, uid, title) in DASHBOARDS {
        let dashboard = dashboard(name);
        assert_eq!((text(&dashboard["uid"]), text(&dashboard["title"])), (uid, title));
        assert_eq!(dashboard["schemaVersion"], 42, "{name}");
        assert!(dashboard["id"].is_null() && dashboard["version"] == 1, "{name}: as provisioned");
        assert!(dashboard.get("__inputs").is_none(), "{name}: an export, not a provisioned file");
        assert!(!text(&dashboard["description"]).is_empty(), "{name}");
    }
}

#[test]
fn every_panel_says_what_it_shows_and_takes_the_chosen_data_source() {
    let mut wrong = Vec::new();
    for (name, ..) in DASHBOARDS {
        let dashboard = dashboard(name);
        for panel in panels(&dashboard) {
            let title = text(&panel["title"]);
            if title.is_empty() || text(&panel["description"]).len() < 30 {
                wrong.push(format!("{name}: {title:?} needs a title and a help text"));
            }
            let sources = list(&panel["targets"]).iter().map(|t| &t["datasource"]);
            for source in sources.chain([&panel["datasource"]]) {
                if source["uid"] != "${datasource}" || source["type"] != "prometheus" {
                    wrong.push(format!("{name}: {title}: the data source is {source}"));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn panels_lie_side_by_side_and_are_wide_enough_to_read() {
    let mut wrong = Vec::new();
    for (name, ..) in DASHBOARDS {
        let dashboard = dashboard(name);
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard["panels"]) {
            let title = text(&panel["title"]);
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            // A column of a 1280 px window is some 50 px.
            if x + w > 24 || w < 4 || (h < 4 && panel["type"] != "row") {
                wrong.push(format!("{name}: {title} is {w} x {h} at column {x}"));
            }
            if !ids.insert(panel["id"].as_u64().unwrap()) {
                wrong.push(format!("{name}: {title} has the id of another panel"));
            }
            let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
            if cells.filter(|cell| !taken.insert(*cell)).count() > 0 {
                wrong.push(format!("{name}: {title} lies over another panel"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_campaigns_dashboard_begins_with_the_inbox_rate_its_interval_and_the_target() {
    let dashboard = dashboard("campaign");
    let first: Vec<&Value> = panels(&dashboard).take(5).collect();
    assert_eq!(text(&first[0]["title"]), "Inbox rate");
    let queried = |panel: &Value| -> BTreeSet<String> {
        list(&panel["targets"])
            .iter()
            .flat_map(|t| uses(text(&t["expr"])))
            .map(|u| u.name)
            .collect()
    };
    let drawn = first.iter().find(|p| p["type"] == "timeseries").unwrap();
    let wanted = ["", "_lower", "_upper"].map(|end| format!("postroad_inbox_ratio{end}"));
    let wanted = wanted.into_iter().chain(["postroad_inbox_target_ratio".to_owned()]).collect();
    assert_eq!(queried(drawn), wanted);
}

#[test]
fn every_variable_is_defined_used_and_asks_for_what_is_published() {
    let mut wrong = Vec::new();
    for (name, ..) in DASHBOARDS {
        let dashboard = dashboard(name);
        let variables = list(&dashboard["templating"]["list"]);
        let defined: BTreeSet<&str> = variables.iter().map(|v| text(&v["name"])).collect();
        assert_eq!(variables[0]["type"], "datasource", "{name}");
        for variable in &variables[1..] {
            let query = text(&variable["query"]["query"]);
            for used in uses(query).iter().filter(|u| definition(&u.name).is_none()) {
                wrong.push(format!(
                    "{name}: the variable {} asks for {}",
                    variable["name"], used.name
                ));
            }
            let asked = query.trim_end_matches(')').rsplit(", ").next().unwrap();
            assert_eq!(variable["name"], asked, "{name}: {query}");
        }
        let drawn = serde_json::to_string(&dashboard["panels"]).unwrap();
        for variable in &defined {
            if !drawn.contains(&format!("${variable}"))
                && !drawn.contains(&format!("${{{variable}}}"))
            {
                wrong.push(format!("{name}: nothing uses the variable {variable}"));
            }
        }
        for (at, _) in drawn.match_indices('$') {
            let tail = drawn[at + 1..].trim_start_matches('{');
            let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap();
            let word = &tail[..end];
            if !defined.contains(word) && !["__rate_interval", "__range"].contains(&word) {
                wrong.push(format!("{name}: ${word} is no variable"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_query_speaks_of_published_numbers_and_their_labels() {
    let wrong: Vec<String> =
        queries().iter().flat_map(|q| findings(&q.of, &q.expression)).collect();
    none(&wrong);
}

#[test]
fn every_published_number_is_shown_somewhere() {
    let shown: BTreeSet<String> = queries()
        .iter()
        .flat_map(|q| uses(&q.expression))
        .filter_map(|u| definition(&u.name))
        .map(|d| d.name.to_owned())
        .collect();
    let variables: String =
        DASHBOARDS.iter().map(|(name, ..)| dashboard(name)["templating"].to_string()).collect();
    let hidden: Vec<String> = postroad_metrics::names::ALL
        .iter()
        .filter(|d| !shown.contains(d.name) && !variables.contains(d.name))
        .map(|d| format!("no dashboard shows {}", d.name))
        .collect();
    none(&hidden);
}

#[test]
fn prometheus_can_read_every_query() {
    let mut rules = String::from("groups:\n  - name: queries\n    rules:\n");
    for (n, query) in queries().iter().enumerate() {
        let expression = serde_json::to_string(&filled_in(&query.expression, "autumn")).unwrap();
        writeln!(rules, "      - record: query:{n}\n        expr: {expression}").unwrap();
        let of = serde_json::to_string(&query.of).unwrap();
        writeln!(rules, "        labels: {{ of: {of} }}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("queries.yml"), rules).unwrap();
    let Some(said) = promtool(folder.path(), &["check", "rules", "queries.yml"]) else { return };
    assert!(said.contains(&format!("{} rules found", queries().len())), "{said}");
}

#[test]
fn grafana_finds_the_dashboards_where_provisioning_says() {
    let provider = read("deploy/grafana/provisioning/dashboards/postroad.yml");
    assert!(provider.contains("path: /var/lib/grafana/dashboards/postroad"), "{provider}");
    let compose = read("deploy/docker/compose.yml");
    assert!(compose.contains("/var/lib/grafana/dashboards/postroad"), "{compose}");
}

#[test]
fn containers_use_the_same_files_but_for_the_names_of_services() {
    let body = |path: &str| -> String {
        read(path)
            .lines()
            .filter(|l| !l.starts_with('#'))
            .fold(String::new(), |all, l| all + l + "\n")
    };
    let plain = body("deploy/prometheus/prometheus.yml").replace("127.0.0.1:8726", "postroad:8726");
    assert_eq!(body("deploy/docker/prometheus.yml").trim(), plain.trim());
    let plain = body("deploy/grafana/provisioning/datasources/postroad.yml");
    let plain = plain.replace("127.0.0.1:9090", "prometheus:9090");
    assert_eq!(body("deploy/docker/datasource.yml"), plain);
}

#[test]
fn the_numbers_of_the_pictures_are_published_ones() {
    let sample = read("deploy/grafana/draw/sample.mjs");
    let named: BTreeSet<String> = uses(&sample)
        .into_iter()
        .map(|u| u.name)
        .filter(|n| !n.ends_with('_') && n != "up")
        .collect();
    assert!(named.len() > 30, "{named:?}");
    let wrong: Vec<String> = named.into_iter().filter(|name| definition(name).is_none()).collect();
    none(&wrong);
}
