//! Mutated mails and replies: no parser falls, and what it says stays within its bounds.

use postroad_bounce::{
    MAX_DIAGNOSTIC, MAX_REFERENCES, MAX_REPORTS, MAX_VALUE, classify_reply, read,
};
use postroad_model::reply::Phase;
use postroad_model::{MailboxProvider, Reply};
use postroad_testkit::fuzz;

/// All mails of the formats' tests.
fn mails_of_files() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../mails/status.txt"),
        include_str!("../mails/prose.txt"),
        include_str!("../mails/providers.txt"),
        include_str!("../mails/answers.txt"),
        include_str!("../mails/ordinary.txt"),
    ];
    let cases = files.iter().flat_map(|file| file.split("\n=== ").skip(1));
    let mail = |case: &str| {
        let lines = case.lines().skip(1).skip_while(|l| l.starts_with("=> ") || l.is_empty());
        lines.flat_map(|l| [l.as_bytes(), b"\n"].concat()).collect::<Vec<u8>>()
    };
    cases.map(mail).collect()
}

const WORDS: [&str; 33] = [
    "\n\n",
    "\r\n\r\n",
    "Content-Type: multipart/report; boundary=",
    "Content-Type: message/rfc822\n\n",
    "Content-Type: message/delivery-status\n\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "charset=utf-7",
    "charset=iso-2022-jp",
    "charset=utf-16",
    "Final-Recipient: rfc822;",
    "utf-8; \\x{",
    "\\x{110000}",
    "Diagnostic-Code: smtp;",
    "Status: 5.",
    "=?utf-8?B?",
    "?=",
    "<a@b.example>",
    "@",
    "@@",
    "\"@",
    "550 5.1.1",
    "550-",
    ">>> RCPT TO:<",
    "<<< 550",
    "... ",
    "Feedback-Type: abuse\n",
    "{\"notificationType\":\"Bounce\"",
    "\u{3042}\u{3044}",
    "<style>",
    "&#x",
    "\0",
    "\u{fe0f}",
];

#[test]
fn mails() {
    fuzz::run(&mails_with_ends(), &WORDS, |input| {
        let reading = read(input);
        assert!(reading.reports.len() <= MAX_REPORTS);
        for report in &reading.reports {
            // The bound is in bytes, so it holds in characters too.
            assert!(report.diagnostic.len() <= MAX_DIAGNOSTIC);
            assert!(!report.diagnostic.chars().any(char::is_control), "{:?}", report.diagnostic);
            for address in report.recipient.iter().chain(&report.aliases) {
                assert!(address.contains('@') && address.len() <= MAX_VALUE, "{address:?}");
                assert!(!address.chars().any(char::is_control), "{address:?}");
            }
            assert!(!report.rule.is_empty());
        }
        for list in [
            &reading.references.addressed_to,
            &reading.references.returned_refs,
            &reading.references.message_ids,
            &reading.references.envelope_ids,
        ] {
            assert!(list.len() <= MAX_REFERENCES);
            assert!(list.iter().all(|v| v.len() <= MAX_VALUE && !v.chars().any(char::is_control)));
        }
        // What is read once is read the same again.
        assert_eq!(reading, read(input));
    });
}

/// The corpus with both line ends.
fn mails_with_ends() -> Vec<Vec<u8>> {
    let mut all = mails_of_files();
    let wire: Vec<Vec<u8>> =
        all.iter().map(|m| String::from_utf8_lossy(m).replace('\n', "\r\n").into_bytes()).collect();
    all.extend(wire);
    all
}

#[test]
fn replies() {
    let corpus: Vec<Vec<u8>> =
        include_str!("../golden/replies.txt").lines().map(|l| l.as_bytes().to_vec()).collect();
    let phases = [
        Phase::Connect,
        Phase::Ehlo,
        Phase::Auth,
        Phase::MailFrom,
        Phase::RcptTo,
        Phase::Data,
        Phase::FinalDot,
    ];
    fuzz::run(
        &corpus,
        &["5.1.1", "550 ", "\n", "quota", "spamhaus", "user unknown", "#", "..."],
        |input| {
            let text = String::from_utf8_lossy(input);
            let code = 200 + u16::from(input.first().copied().unwrap_or(0)) * 2;
            for phase in phases {
                let verdict =
                    classify_reply(&Reply::new(code, &text), phase, MailboxProvider::Google, &[]);
                assert!(!verdict.rule.is_empty());
            }
        },
    );
}
