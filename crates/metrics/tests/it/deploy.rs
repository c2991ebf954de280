//! What the queries of deploy/grafana and deploy/prometheus speak of, held against what is published.

use postroad_metrics::names::{self, Definition, Kind};
use postroad_testkit::deploy::recorded;

/// A metric where it is used: its name, what stands before it, and the labels of its selector.
pub struct Use {
    pub name: String,
    pub before: String,
    pub labels: Vec<String>,
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The metrics of ours (and `up`) in an expression. It reads names, not the language: promtool does that.
pub fn uses(expression: &str) -> Vec<Use> {
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = expression[rest..].find(is_name).map(|at| rest + at) {
        let end = expression[start..].find(|c| !is_name(c)).map_or(expression.len(), |n| start + n);
        rest = end;
        let name = &expression[start..end];
        let quoted = expression[..start].matches('"').count() % 2 == 1;
        if quoted || !(name == "up" || name.contains("postroad_")) {
            continue;
        }
        let before = expression[..start].trim_end().to_owned();
        let selector = expression[end..].strip_prefix('{').and_then(|s| s.split_once('}'));
        let labels = selector.map_or(Vec::new(), |(inside, _)| labels(inside));
        found.push(Use { name: name.to_owned(), before, labels });
    }
    found
}

/// The label names of `a="x, y", b=~"z"`.
fn labels(selector: &str) -> Vec<String> {
    let outside: Vec<&str> = selector.split('"').step_by(2).collect();
    outside
        .join("")
        .split(',')
        .map(|pair| pair.trim().trim_end_matches(['=', '~', '!']).trim().to_owned())
        .filter(|label| !label.is_empty())
        .collect()
}

/// The definition behind a name; histograms have three names.
pub fn definition(name: &str) -> Option<Definition> {
    let plain = names::ALL.iter().find(|d| d.name == name);
    let histogram = || {
        let stem = ["_bucket", "_count", "_sum"].into_iter().find_map(|s| name.strip_suffix(s))?;
        names::ALL.iter().find(|d| d.name == stem && matches!(d.kind, Kind::Histogram(_)))
    };
    plain.or_else(histogram).copied()
}

/// What is wrong with the use of metrics in an expression.
pub fn findings(of: &str, expression: &str) -> Vec<String> {
    let recorded = recorded();
    let mut wrong = Vec::new();
    for used in uses(expression) {
        if used.name == "up" || recorded.contains(&used.name) {
            continue;
        }
        let Some(definition) = definition(&used.name) else {
            wrong.push(format!("{of}: there is no metric {}", used.name));
            continue;
        };
        if definition.kind != Kind::Gauge
            && !["rate(", "increase("].iter().any(|f| used.before.ends_with(f))
        {
            wrong.push(format!("{of}: {} counts up; it needs rate or increase", used.name));
        }
        for label in used.labels {
            let known = definition.labels.contains(&label.as_str());
            if !known && !["instance", "job", "le"].contains(&label.as_str()) {
                wrong.push(format!("{of}: {} has no label {label}", used.name));
            }
        }
    }
    wrong
}

#[test]
fn metrics_are_found_with_their_labels_and_what_stands_before_them() {
    let found = uses(
        r#"sum by (relay) (rate(postroad_messages_total{relay=~"a, b",result!="x"}[5m])) / up"#,
    );
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].name.as_str(), found[1].name.as_str()), ("postroad_messages_total", "up"));
    assert!(found[0].before.ends_with("rate("));
    assert_eq!(found[0].labels, ["relay", "result"]);
}

#[test]
fn a_wrong_use_is_found() {
    let check = |expression: &str, words: &str| {
        let found = findings("here", expression);
        assert!(found.len() == 1 && found[0].contains(words), "{expression}: {found:?}");
    };
    check("postroad_no_such", "no metric");
    check("sum(postroad_messages_total)", "counts up");
    check(r#"postroad_relay_paused{campaign="x"}"#, "no label campaign");
    check("postroad_send_duration_seconds_bucket", "counts up");
    assert!(
        findings("here", "rate(postroad_send_duration_seconds_bucket{le=\"1\"}[1m])").is_empty()
    );
}
