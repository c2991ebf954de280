//! The rules of deploy/prometheus: promtool's opinion, their unit tests, and the runbooks that alerts lead to.

use crate::deploy::findings;
use postroad_testkit::deploy::{folder, read};
use postroad_testkit::prometheus::promtool;
use std::collections::BTreeSet;

const ALERTS: &str = "deploy/prometheus/rules/postroad-alerts.yml";
const RECORDING: &str = "deploy/prometheus/rules/postroad-recording.yml";

fn after<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(key)).collect()
}

#[test]
fn promtool_takes_the_configuration_and_all_rules() {
    let deploy = folder("deploy/prometheus");
    let Some(said) = promtool(&deploy, &["check", "config", "prometheus.yml"]) else { return };
    assert!(said.contains("2 rule files found"), "{said}");
    let alerts = after(&read(ALERTS), "- alert: ").len();
    assert!(said.contains(&format!("{alerts} rules found")), "{said}");
}

#[test]
fn rules_do_what_their_unit_tests_say() {
    let tests = folder("deploy/prometheus/tests");
    let Some(said) = promtool(&tests, &["test", "rules", "postroad.yml"]) else { return };
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn every_alert_has_a_unit_test_in_which_it_fires() {
    let tests = read("deploy/prometheus/tests/postroad.yml");
    for alert in after(&read(ALERTS), "- alert: ") {
        let fired = format!(r#"labels: 'ALERTS{{alertname="{alert}",alertstate="firing","#);
        assert!(tests.contains(&fired), "{alert} never fires in deploy/prometheus/tests");
    }
}

#[test]
fn rules_speak_of_published_numbers_and_their_labels() {
    for path in [ALERTS, RECORDING] {
        let text = read(path);
        let told: Vec<&str> = text
            .lines()
            .filter(|l| {
                let l = l.trim_start();
                ![
                    "#",
                    "description:",
                    "summary:",
                    "runbook_url:",
                    "- alert:",
                    "- record:",
                    "- name:",
                ]
                .iter()
                .any(|not| l.starts_with(not))
            })
            .collect();
        let wrong = findings(path, &told.join("\n"));
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn every_alert_leads_to_its_runbook_and_every_runbook_has_an_alert() {
    let runbooks = read("docs/guide/runbooks.md");
    let anchor = |title: &str| title.to_lowercase().replace(' ', "-");
    let written: BTreeSet<String> = after(&runbooks, "## ").into_iter().map(anchor).collect();
    let alerts = read(ALERTS);
    let links = after(&alerts, "runbook_url: ");
    assert_eq!(links.len(), after(&alerts, "- alert: ").len());
    let linked: BTreeSet<String> = links
        .into_iter()
        .map(|url| {
            let (page, anchor) = url.trim_matches('"').split_once('#').unwrap();
            assert!(page.ends_with("/guide/runbooks.md"), "{url}");
            anchor.to_owned()
        })
        .collect();
    assert_eq!(linked, written);
    for alert in after(&alerts, "- alert: ") {
        assert!(runbooks.contains(&format!("`{alert}`")), "docs/guide/runbooks.md lacks {alert}");
    }
}
