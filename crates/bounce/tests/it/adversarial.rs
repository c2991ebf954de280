//! Mail that wants to cost time or memory: both stay bounded.

use postroad_bounce::{Finding, MAX_REPORTS, read};
use std::fmt::Write;

const MEGABYTE: usize = 1 << 20;

/// Nothing is measured here: without bounds each of these would take minutes or overflow the stack, which nobody who
/// runs the tests would miss.
#[track_caller]
fn check(mail: &[u8], reports: usize) -> Vec<Finding> {
    let reading = read(mail);
    assert!(reading.reports.len() <= reports, "{} reports", reading.reports.len());
    reading.findings
}

#[test]
fn a_thousand_nested_parts() {
    let mut mail = String::from("From: MAILER-DAEMON@x.example\nSubject: Returned mail\n");
    for i in 0..1_000 {
        write!(mail, "Content-Type: multipart/mixed; boundary=\"b{i}\"\n\n--b{i}\n").unwrap();
    }
    mail.push_str(
        "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.example\n",
    );
    assert!(check(mail.as_bytes(), 1).contains(&Finding::TooManyParts));
}

#[test]
fn a_hundred_thousand_nested_messages() {
    let mut mail = String::from("From: MAILER-DAEMON@x.example\nSubject: Returned mail\n");
    for _ in 0..100_000 {
        mail.push_str("Content-Type: message/rfc822\n\n");
    }
    check(mail.as_bytes(), 1);
}

#[test]
fn fifty_megabytes() {
    let mut mail = b"From: MAILER-DAEMON@x.example\nSubject: Returned mail: User unknown\n\n<a@b.example>: 550 unknown user\n\n".to_vec();
    while mail.len() < 50 * MEGABYTE {
        mail.extend_from_slice(
            b"<a@b.example>: 550 5.1.1 no such user here, see a@b.example and c@d.example\n",
        );
    }
    assert!(check(&mail, MAX_REPORTS).contains(&Finding::Cut));
    // One line, one word.
    let mut line = b"From: MAILER-DAEMON@x.example\nSubject: Returned mail\n\n".to_vec();
    line.resize(50 * MEGABYTE, b'a');
    check(&line, 1);
    let mut ats = b"From: MAILER-DAEMON@x.example\nSubject: Returned mail\n\n".to_vec();
    ats.resize(3 * MEGABYTE, b'@');
    check(&ats, 1);
}

#[test]
fn header_bombs() {
    let mut many = String::from("From: MAILER-DAEMON@x.example\n");
    for i in 0..100_000 {
        writeln!(many, "X-{i}: {i}").unwrap();
    }
    check(many.as_bytes(), 1);
    let mut folded = String::from("Subject: Returned mail\n");
    for _ in 0..100_000 {
        folded.push_str(" folded and folded\n");
    }
    check(folded.as_bytes(), 1);
    let mut words = String::from("Subject: ");
    for _ in 0..100_000 {
        words.push_str("=?utf-8?B?YQ==?= ");
    }
    check(words.as_bytes(), 1);
    let mut parameters = String::from("Content-Type: multipart/report");
    for i in 0..50_000 {
        write!(parameters, "; p{i}=\"{i}\"").unwrap();
    }
    check(parameters.as_bytes(), 1);
}

#[test]
fn more_recipients_than_are_reported() {
    let mut mail = String::from(
        "From: MAILER-DAEMON@x.example\nSubject: Returned mail\nContent-Type: message/delivery-status\n\n",
    );
    for i in 0..20_000 {
        write!(mail, "Final-Recipient: rfc822; u{i}@b.example\nAction: failed\nStatus: 5.1.1\n\n")
            .unwrap();
    }
    assert!(check(mail.as_bytes(), MAX_REPORTS).contains(&Finding::TooManyReports));
}

#[test]
fn nothing_but_boundaries_braces_tags_and_nuls() {
    let mut boundaries = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
    boundaries.push_str(&"--b\n".repeat(200_000));
    check(boundaries.as_bytes(), 0);
    let head = "From: MAILER-DAEMON@x.example\nSubject: Returned mail\nContent-Type: text/html\n\n";
    for filling in [
        "<",
        "<a",
        "&",
        "&#",
        "<!--",
        "<style>",
        "</",
        "{",
        "[{\"Message\":",
        "\0",
        "\x1b$B",
        "=?",
        "\u{3042}",
        "(",
        "\"@",
    ] {
        check(format!("{head}{}", filling.repeat(300_000 / filling.len())).as_bytes(), 1);
        let plain = head.replace("text/html", "text/plain");
        check(format!("{plain}{}", filling.repeat(300_000 / filling.len())).as_bytes(), 1);
    }
    check(&vec![0; MEGABYTE], 0);
    check(&vec![b'\n'; MEGABYTE], 0);
}

/// Where a code or a sign of one octet is looked for stand characters of two, three and four.
#[test]
fn characters_of_many_octets_in_every_place() {
    let head = "From: MAILER-DAEMON@x.example\nSubject: Returned mail: User unknown\n";
    for sign in ["\u{e9}", "\u{3042}", "\u{1f4e8}"] {
        for line in [
            "5# 550 <a@b.example>... x",
            "55#0 <a@b.example>... no",
            "#550 5.1.1 <a@b.example>...\tno",
            "4#.1.1 <a@b.example>... User unknown",
            "<#a@b.example#>: 550-#5.1.1#",
            ">>> #RCPT To:<a@b.example>",
            "<<< 5#50 no",
            "a@b.example <#>: # <550 5.1.1#>",
            "Final-Recipient: rfc822; #a@b.example\nStatus: 5.#1.1\nDiagnostic-Code: s#mtp; 550#",
            "<#b>&#;&am#p;</#p><!#-- <p#>a@b.example",
            "Feedback-Type: ab#use\nX-Postroad-Ref#: x",
        ] {
            let line = line.replace('#', sign);
            for front in
                ["", "Content-Type: text/html\n", "Content-Type: text/plain; charset=us-ascii\n"]
            {
                check(format!("{head}{front}\n{line}\n").as_bytes(), 2);
            }
            check(format!("Subject: {line}\nFrom: {line}\n\n{line}\n").as_bytes(), 2);
        }
    }
}

#[test]
fn a_forward_of_a_forward_of_a_forward() {
    let mut mail = String::from(
        "From: MAILER-DAEMON@x.example\nX-Failed-Recipients: a@b.example\nSubject: Returned mail\n\nno\n",
    );
    for i in 0..50 {
        mail = format!(
            "From: a@b.example\nSubject: Fwd\nX-Failed-Recipients: \nContent-Type: multipart/mixed; boundary=\"bound{i}\"\n\n--bound{i}\nContent-Type: message/rfc822\n\n{mail}\n--bound{i}--\n"
        );
    }
    check(mail.as_bytes(), 1);
}
