//! Reports made from fields, charsets, encodings and servers' habits: what was put in must be read out.

use postroad_bounce::{Action, Reading, read};
use postroad_model::verdict::BounceKind;
use proptest::prelude::*;

/// A recipient's fate, as a server would write it.
#[derive(Clone, Debug)]
struct Fate {
    local: String,
    domain: String,
    verdict: usize,
}

/// Code, status, words and what follows.
const VERDICTS: [(&str, &str, &str, BounceKind); 8] = [
    ("550", "5.1.1", "User unknown", BounceKind::Hard),
    ("552", "5.2.2", "Mailbox full", BounceKind::Soft),
    ("550", "5.2.1", "Account disabled", BounceKind::Soft),
    ("554", "5.7.1", "Client host blocked using zen.spamhaus.org", BounceKind::Block),
    ("550", "5.7.26", "Unauthenticated email, DMARC policy", BounceKind::Block),
    ("552", "5.3.4", "Message too large", BounceKind::Soft),
    ("556", "5.1.10", "Recipient domain has null MX", BounceKind::Hard),
    ("550", "5.1.2", "Domain not found", BounceKind::Hard),
];

/// How the server writes.
#[derive(Clone, Copy, Debug)]
struct Habits {
    crlf: bool,
    /// Which text encoding the first part has.
    encoding: usize,
    /// Which order the fields have.
    order: usize,
    /// Case and blanks of the field names.
    names: usize,
    /// Whether the diagnostic is folded.
    folded: bool,
    prose: usize,
}

fn address(fate: &Fate) -> String {
    format!("{}@{}", fate.local, fate.domain)
}

fn field(name: &str, value: &str, names: usize) -> String {
    match names {
        0 => format!("{name}: {value}\n"),
        1 => format!("{}: {value}\n", name.to_ascii_lowercase()),
        2 => format!("{name} : {value}\n"),
        _ => format!("{}:{value}\n", name.to_ascii_uppercase()),
    }
}

fn status_block(fate: &Fate, habits: Habits) -> String {
    let (code, status, words, _) = VERDICTS[fate.verdict];
    let gap = if habits.folded { "\n   " } else { " " };
    let name = |n: &str, v: &str| field(n, v, habits.names);
    let recipient = name("Final-Recipient", &format!("rfc822; {}", address(fate)));
    let action = name("Action", "failed");
    let state = name("Status", status);
    let diagnostic = name("Diagnostic-Code", &format!("smtp; {code} {status}{gap}{words}"));
    match habits.order {
        0 => recipient + &action + &state + &diagnostic,
        1 => action + &recipient + &diagnostic + &state,
        _ => state + &recipient + &action + &diagnostic,
    }
}

fn base64(text: &str) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (n, three) in text.as_bytes().chunks(3).enumerate() {
        let b = [three[0], *three.get(1).unwrap_or(&0), *three.get(2).unwrap_or(&0)];
        let bits = u32::from(b[0]) << 16 | u32::from(b[1]) << 8 | u32::from(b[2]);
        for i in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= three.len() { sign } else { '=' });
        }
        if n % 18 == 17 {
            out.push('\n');
        }
    }
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b'\n'
            | b' '
            | b'0'..=b'9'
            | b'a'..=b'z'
            | b'A'..=b'Z'
            | b'.'
            | b','
            | b'@'
            | b'<'
            | b'>'
            | b':' => {
                out.push(b as char);
            }
            _ => out.push_str(&format!("={b:02X}")),
        }
    }
    out
}

fn intro(prose: usize) -> &'static str {
    match prose {
        0 => "I'm sorry to have to inform you that your message could not be delivered.",
        1 => "Votre message n'a pas pu être remis.",
        2 => "Ваше письмо не может быть доставлено.",
        3 => "メールを配信できませんでした。",
        _ => "Delivery has failed.",
    }
}

fn report(fates: &[Fate], habits: Habits) -> String {
    let (encoding, text) = match habits.encoding {
        0 => ("8bit", intro(habits.prose).to_owned()),
        1 => ("base64", base64(intro(habits.prose))),
        _ => ("quoted-printable", quoted(intro(habits.prose))),
    };
    let blocks: Vec<String> = fates.iter().map(|f| status_block(f, habits)).collect();
    let mail = format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.org (Mail Delivery System)\nTo: news@example.org\nSubject: Undelivered Mail Returned to Sender\nContent-Type: multipart/report; report-type=delivery-status;\n boundary=\"=_made/by.a.test\"\n\n--=_made/by.a.test\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{text}\n--=_made/by.a.test\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n{}\n--=_made/by.a.test\nContent-Type: text/rfc822-headers\n\nFrom: news@example.org\nTo: {}\nMessage-ID: <m1@example.org>\nX-Postroad-Ref: ref-1\n--=_made/by.a.test--\n",
        blocks.join("\n"),
        address(&fates[0]),
    );
    if habits.crlf { mail.replace('\n', "\r\n") } else { mail }
}

/// The same as prose of four servers, where nothing but the text tells.
fn prose_report(fates: &[Fate], server: usize, crlf: bool) -> String {
    let mut body = String::new();
    let (from, subject, opening, closing) = match server {
        0 => (
            "MAILER-DAEMON@example.org",
            "failure notice",
            "Hi. This is the qmail-send program at example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n",
            "--- Below this line is a copy of the message.\n",
        ),
        1 => (
            "Mailer-Daemon@example.org",
            "Mail delivery failed: returning message to sender",
            "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n",
            "------ This is a copy of the message, including all the headers. ------\n",
        ),
        2 => (
            "MAILER-DAEMON@example.org",
            "Returned mail: see transcript for details",
            "   ----- Transcript of session follows -----\n",
            "   ----- Original message follows -----\n",
        ),
        _ => (
            "MAILER-DAEMON@example.org",
            "Undelivered Mail Returned to Sender",
            "This is the mail system at host example.org.\n",
            "",
        ),
    };
    for fate in fates {
        let (code, status, words, _) = VERDICTS[fate.verdict];
        let a = address(fate);
        body.push_str(&match server {
            0 => format!("\n<{a}>:\nRemote host said: {code} {status} {words}\n"),
            1 => format!("\n  {a}\n    host mx [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<{a}>:\n    {code} {status} {words}\n"),
            2 => format!(">>> RCPT To:<{a}>\n<<< {code} {status} {words}\n{code} {status} <{a}>... {words}\n"),
            _ => format!("\n<{a}>: host mx[192.0.2.1] said: {code} {status}\n    {words} (in reply to RCPT TO command)\n"),
        });
    }
    let mail = format!(
        "Return-Path: <>\nFrom: {from}\nTo: news@example.org\nSubject: {subject}\n\n{opening}{body}\n{closing}\nReturn-Path: <news@example.org>\nFrom: news@example.org\nTo: someone-else@example.com\nSubject: x\n"
    );
    if crlf { mail.replace('\n', "\r\n") } else { mail }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate =
        ("[a-z][a-z0-9.+_-]{0,20}[a-z0-9]", "[a-z]{1,12}\\.(example|test)", 0..VERDICTS.len());
    let fate = fate.prop_map(|(local, domain, verdict)| Fate { local, domain, verdict });
    proptest::collection::vec(fate, 1..6).prop_map(|mut fates| {
        fates.retain(|f| !["postmaster", "mailer-daemon"].contains(&f.local.as_str()));
        fates.sort_by_key(address);
        fates.dedup_by_key(|f| address(f));
        fates
    })
}

fn check(fates: &[Fate], reading: &Reading, mail: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(reading.reports.len(), fates.len(), "{}", mail);
    for (fate, found) in fates.iter().zip(&reading.reports) {
        let (_, status, words, kind) = VERDICTS[fate.verdict];
        prop_assert_eq!(found.recipient.clone(), Some(address(fate)));
        prop_assert_eq!(found.status.as_deref(), Some(status));
        prop_assert_eq!(found.kind, kind, "{} by {}", found.diagnostic, found.rule);
        prop_assert_eq!(found.action, Some(Action::Failed));
        prop_assert!(found.diagnostic.contains(words), "{}", found.diagnostic);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_generated_report_is_read_back(
        fates in fates(),
        crlf: bool, folded: bool,
        encoding in 0..3_usize, order in 0..3_usize, names in 0..4_usize, prose in 0..5_usize,
    ) {
        prop_assume!(!fates.is_empty());
        let mail = report(&fates, Habits { crlf, encoding, order, names, folded, prose });
        let reading = read(mail.as_bytes());
        check(&fates, &reading, &mail)?;
        prop_assert_eq!(&reading.references.message_ids, &["m1@example.org"]);
        prop_assert_eq!(&reading.references.returned_refs, &["ref-1"]);
    }

    #[test]
    fn generated_prose_is_read_back(fates in fates(), server in 0..4_usize, crlf: bool) {
        prop_assume!(!fates.is_empty());
        let mail = prose_report(&fates, server, crlf);
        check(&fates, &read(mail.as_bytes()), &mail)?;
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        let reading = read(&bytes);
        prop_assert!(reading.reports.len() <= 1_000);
    }

    /// A real report with a few bytes changed, cut or doubled.
    #[test]
    fn damaged_reports_are_read_without_harm(
        fates in fates(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..30),
    ) {
        prop_assume!(!fates.is_empty());
        let habits = Habits { crlf: false, encoding: 1, order: 0, names: 0, folded: true, prose: 3 };
        let mut mail = report(&fates, habits).into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(mail.len());
            match how {
                0 => mail[at] = byte,
                1 => mail.insert(at, byte),
                _ => mail.truncate(at.max(1)),
            }
        }
        for report in read(&mail).reports {
            prop_assert!(report.diagnostic.len() <= 2_000 * 4);
            prop_assert!(!report.diagnostic.chars().any(char::is_control));
            if let Some(recipient) = report.recipient {
                prop_assert!(recipient.contains('@') && !recipient.chars().any(char::is_control));
            }
        }
    }
}
