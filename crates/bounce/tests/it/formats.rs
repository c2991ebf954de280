//! Mails as servers write them, and what each says: `mails/*.txt` have many each.
//!
//! A case begins with `=== name`, has a line `=> recipient kind reason status` for each report (`*` for anything, `-` for
//! no recipient or status), and then the mail.

use postroad_bounce::{Report, read};
use std::fmt::Write;

fn in_short(report: &Report) -> [String; 4] {
    [
        report.recipient.clone().unwrap_or_else(|| "-".into()),
        format!("{:?}", report.kind).to_lowercase(),
        report.reason.as_str().to_owned(),
        report.status.clone().unwrap_or_else(|| "-".into()),
    ]
}

/// What does not fit, in words; empty where all does.
fn faults(name: &str, wanted: &[Vec<&str>], reports: &[Report]) -> String {
    let mut said = String::new();
    let mut left: Vec<(&Report, [String; 4])> = reports.iter().map(|r| (r, in_short(r))).collect();
    for want in wanted {
        let fits = |found: &[String; 4]| want.iter().zip(found).all(|(w, f)| *w == "*" || w == f);
        match left.iter().position(|(_, found)| fits(found)) {
            Some(at) => {
                left.remove(at);
            }
            None => writeln!(said, "{name}: no report {want:?}").unwrap(),
        }
    }
    for (report, found) in left {
        writeln!(said, "{name}: reports {found:?} by {}: {}", report.rule, report.diagnostic)
            .unwrap();
    }
    said
}

#[track_caller]
fn check(file: &str) {
    let mut said = String::new();
    for case in file.split("\n=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let mut wanted = Vec::new();
        let mut mail = rest;
        while let Some(line) = mail.strip_prefix("=> ") {
            let (line, after) = line.split_once('\n').unwrap();
            if line != "nothing" {
                wanted.push(line.split_whitespace().collect::<Vec<_>>());
            }
            mail = after;
        }
        let mail = mail.trim_start_matches('\n');
        said.push_str(&faults(name, &wanted, &read(mail.as_bytes()).reports));
        // The same with the line ends of the wire.
        let wire = mail.replace('\n', "\r\n");
        said.push_str(&faults(&format!("{name} (CRLF)"), &wanted, &read(wire.as_bytes()).reports));
    }
    assert!(said.is_empty(), "{said}");
}

#[test]
fn reports_with_status_fields_are_read() {
    check(include_str!("../mails/status.txt"));
}

#[test]
fn reports_in_prose_are_read() {
    check(include_str!("../mails/prose.txt"));
}

#[test]
fn gateways_and_providers_are_read() {
    check(include_str!("../mails/providers.txt"));
}

#[test]
fn feedback_reports_and_automatic_answers_are_read() {
    check(include_str!("../mails/answers.txt"));
}

#[test]
fn mails_of_many_servers_and_languages_are_read() {
    check(include_str!("../mails/blind.txt"));
}

#[test]
fn ordinary_mail_yields_nothing() {
    check(include_str!("../mails/ordinary.txt"));
}
