//! The reader against real mails with known answers, where they lie next to the repository.

use postroad_bounce::{Report, read};
use postroad_model::verdict::BounceKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One line of the answers.
#[derive(Deserialize)]
struct Expected {
    file: String,
    recipient: Option<String>,
    recipients_accept: Option<Vec<String>>,
    status: Option<String>,
    reason: Option<String>,
    hardbounce: Option<bool>,
    feedbacktype: Option<String>,
    expect: String,
}

#[derive(Default)]
struct Score {
    wanted: usize,
    found: usize,
    reported: usize,
    kinds: usize,
    wrongly_hard: usize,
    not_hard: usize,
    false_complaints: usize,
    statuses: usize,
    statuses_wanted: usize,
    ordinary_reported: usize,
    misses: Vec<String>,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/bounces");
    folder.join("expected.jsonl").exists().then_some(folder)
}

/// The kinds that are right for a reason of the answers, the first one best.
fn kinds(expected: &Expected, said: &str) -> Vec<BounceKind> {
    use BounceKind::{AutoReply, Block, Complaint, Hard, Other, Soft};
    let hard = expected.hardbounce == Some(true);
    let unknown = ["unknown", "no such", "doesn't have", "not exist"]
        .iter()
        .any(|w| said.to_lowercase().contains(w));
    match expected.reason.as_deref().unwrap_or("") {
        "feedback" => match expected.feedbacktype.as_deref() {
            Some("auth-failure" | "not-spam" | "opt-out") => vec![Other],
            _ => vec![Complaint],
        },
        "vacation" => vec![AutoReply],
        "delivered" | "syntaxerror" => vec![Other],
        "suppressed" => vec![Hard],
        // docs/guide/bounces.md: a filter's refusal is hard where its words say that the user is unknown.
        "filtered" if unknown => vec![Block, Hard, Soft],
        _ if hard => vec![Hard],
        "userunknown" | "hostunknown" | "hasmoved" => vec![Hard],
        _ => vec![Soft, Block],
    }
}

fn judge(rows: &[&Expected], reports: &[Report], file: &str, score: &mut Score) {
    let mut used = vec![false; reports.len()];
    for row in rows {
        let accept = row.recipients_accept.clone().unwrap_or_default();
        let matching = reports.iter().enumerate().find(|(i, r)| {
            let recipient = r.recipient.as_deref().unwrap_or("");
            !used[*i] && accept.iter().any(|a| a.eq_ignore_ascii_case(recipient))
        });
        score.wanted += 1;
        let Some((i, report)) = matching else {
            score.misses.push(format!("{file}: no report for {:?}", row.recipient));
            continue;
        };
        used[i] = true;
        score.found += 1;
        let right = kinds(row, &report.diagnostic);
        if right.contains(&report.kind) {
            score.kinds += 1;
        } else {
            score.misses.push(format!(
                "{file}: {:?} by {} is {:?} ({}), not {right:?} ({:?}): {}",
                report.recipient,
                report.rule,
                report.kind,
                report.reason.as_str(),
                row.reason,
                report.diagnostic
            ));
        }
        if !right.contains(&BounceKind::Hard) {
            score.not_hard += 1;
            score.wrongly_hard += usize::from(report.kind == BounceKind::Hard);
        }
        score.false_complaints += usize::from(
            report.kind == BounceKind::Complaint && !right.contains(&BounceKind::Complaint),
        );
        // Statuses like 5.0.911 are the answers' own notation for "none was told".
        if let Some(status) = row.status.as_deref().filter(|s| !s.contains(".0.9")) {
            score.statuses_wanted += 1;
            if report.status.as_deref() == Some(status) {
                score.statuses += 1;
            } else {
                score.misses.push(format!(
                    "{file}: status {:?}, not {status}: {}",
                    report.status, report.diagnostic
                ));
            }
        }
    }
    score.reported += reports.len();
    for (report, _) in reports.iter().zip(&used).filter(|(_, used)| !**used) {
        score
            .misses
            .push(format!("{file}: wrongly reported {:?} by {}", report.recipient, report.rule));
    }
}

fn run(half: impl Fn(usize) -> bool) -> Option<Score> {
    let folder = folder()?;
    let answers = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    let mut by_file: BTreeMap<String, Vec<Expected>> = BTreeMap::new();
    for line in answers.lines() {
        let row: Expected = serde_json::from_str(line).unwrap();
        by_file.entry(row.file.clone()).or_default().push(row);
    }
    let mut score = Score::default();
    for (n, (file, rows)) in by_file.iter().enumerate().filter(|(n, _)| half(*n)) {
        let _ = n;
        let reading = read(&std::fs::read(folder.join(file)).unwrap());
        let wanted: Vec<&Expected> = rows.iter().filter(|r| r.expect == "bounce").collect();
        if wanted.is_empty() {
            score.ordinary_reported += reading.reports.len();
        }
        judge(&wanted, &reading.reports, file, &mut score);
    }
    Some(score)
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn check(name: &str, half: impl Fn(usize) -> bool) {
    let Some(score) = run(half) else {
        postroad_testkit::skip("the sample mails are not next to the repository");
        return;
    };
    let recall = percent(score.found, score.wanted);
    let precision = percent(score.found, score.reported);
    let kind = percent(score.kinds, score.found);
    let status = percent(score.statuses, score.statuses_wanted);
    let said = format!(
        "{name}: recall {recall:.1} %, precision {precision:.1} %, kind {kind:.1} %, status {status:.1} % of {}; wrongly hard {} of {}\n{}",
        score.wanted,
        score.wrongly_hard,
        score.not_hard,
        score.misses.join("\n")
    );
    assert!(recall >= 98.0 && precision >= 98.5 && kind >= 97.0 && status >= 94.0, "{said}");
    assert_eq!((score.false_complaints, score.ordinary_reported), (0, 0), "{said}");
    assert!(score.wrongly_hard * 100 <= score.not_hard, "{said}");
    if std::env::args().any(|a| a == "--nocapture" || a == "--no-capture") {
        std::io::Write::write_all(&mut std::io::stderr(), format!("{said}\n").as_bytes()).unwrap();
    }
}

#[test]
fn real_mails_are_read_as_their_answers_say() {
    check("all samples", |_| true);
}
