//! The words of servers, one line each, inside the same report: `mails/diagnostics.txt`.

use postroad_bounce::read;
use std::fmt::Write;

fn mail(status: &str, diagnostic: &str) -> String {
    let kind =
        if diagnostic.starts_with(|c: char| c.is_ascii_digit()) { "smtp" } else { "X-Postfix" };
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.org\nTo: news@example.org\nSubject: Undelivered Mail Returned to Sender\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"bound.ary\"\n\n--bound.ary\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: {status}\nDiagnostic-Code: {kind}; {diagnostic}\n--bound.ary--\n"
    )
}

#[test]
fn the_words_of_servers_have_their_kind() {
    let mut said = String::new();
    for line in include_str!("../mails/diagnostics.txt").lines().filter(|l| !l.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (kinds, status, diagnostic) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let reading = read(mail(status, diagnostic).as_bytes());
        let report = &reading.reports[0];
        let kind = format!("{:?}", report.kind).to_lowercase();
        // Soft and block are neighbours: neither costs an address.
        let neighbours = kinds != "hard" && kinds != "other" && (kind == "soft" || kind == "block");
        if !kinds.split('/').any(|k| k == kind) && !neighbours {
            writeln!(
                said,
                "{diagnostic}: {kind} {} by {}, not {kinds}",
                report.reason.as_str(),
                report.rule
            )
            .unwrap();
        }
    }
    assert!(said.is_empty(), "{said}");
}
