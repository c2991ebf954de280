//! What comes back, from the command line: classified, taken, listed, and left out of the next campaign.

use crate::campaigns::{folder_with, records};
use crate::folder::Folder;
use postroad_smtpd::Kind;
use serde_json::Value;

/// A delivery status notification (RFC 3464).
pub fn dsn(to: &str, recipient: &str, status: &str, words: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: Undelivered Mail Returned to Sender\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b1\n\n\
         --b1\nContent-Type: text/plain\n\nIt could not be delivered.\n\n\
         --b1\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n\
         Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: {status}\n\
         Diagnostic-Code: smtp; {words}\n\n--b1--\n"
    )
}

const GONE: &str = "550 5.1.1 User unknown";

#[test]
fn many_files_are_classified_in_one_call_and_a_broken_one_fails_nothing() {
    let folder = Folder::empty();
    let (one, two) =
        (dsn("b@x.test", "a@y.test", "5.1.1", GONE), dsn("b@x.test", "c@y.test", "5.1.1", GONE));
    folder.write("one.eml", &one);
    folder.write("letter.eml", "From: a@b.test\nSubject: Hello\n\nHow are you?\n");
    folder.write("more/cur/1:2,S", &two);
    folder.write(
        "old.mbox",
        format!("From x Mon Nov 23 02:00:00 2026\n{one}\nFrom y Mon Nov 23 02:00:01 2026\n{two}\n"),
    );
    let ran = folder
        .run("--format json bounce classify one.eml letter.eml more old.mbox gone.eml")
        .ends(0)
        .says(&["gone.eml: cannot be read"]);
    let lines = ran.json_lines();
    let who = |l: &Value| {
        (l["file"].as_str().unwrap().to_owned(), l["recipient"].as_str().unwrap().to_owned())
    };
    let expected = [
        ("one.eml", "a@y.test"),
        ("more/cur/1:2,S", "c@y.test"),
        ("old.mbox", "a@y.test"),
        ("old.mbox", "c@y.test"),
    ];
    assert_eq!(
        lines.iter().map(who).collect::<Vec<_>>(),
        expected.map(|(f, r)| (f.to_owned(), r.to_owned()))
    );
    for line in &lines {
        let told = ["kind", "status", "reason", "action"].map(|k| line[k].as_str().unwrap());
        assert_eq!(told, ["hard", "5.1.1", "bad_mailbox", "failed"], "{line}");
    }
    folder.run("bounce explain one.eml").ends(0).says(&["a@y.test", "bad_mailbox", "suppress"]);
    folder.run("bounce explain letter.eml").ends(0).says(&["ordinary mail"]);
}

#[test]
fn refused_and_bounced_people_are_reported_and_left_out_of_the_next_campaign() {
    let sinks = Folder::empty();
    let (_sink, port) = sinks.sink_words(&[
        "--record",
        "a.jsonl",
        "--reply",
        "p1@example.org=550 5.1.1 No such user here",
    ]);
    let folder = folder_with(4, &[("one", port, "\"none\"")]);
    folder.edit(
        "unsubscribe_mailto = \"unsub",
        "bounce_domain = \"b.example.com\"\nunsubscribe_mailto = \"unsub",
    );
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign run hello").ends(0);
    let log = records(&sinks, "a.jsonl");
    let sent =
        log.of(Kind::Accepted).find(|r| r.rcpts.iter().any(|a| a == "p0@example.org")).unwrap();
    let tag = sent.mail_from.clone();
    assert!(tag.ends_with("@b.example.com"), "{tag}");
    let mail = dsn(&tag, "p0@example.org", "5.1.1", GONE);
    folder
        .write("Maildir/new/1", &mail)
        .write("Maildir/new/2", "From: a@b.test\nSubject: Hi\n\nHi\n");
    let done = folder.run("--format json bounce process --maildir Maildir").ends(0).json();
    assert_eq!(
        (&done["mails"], &done["recorded"], &done["ordinary"]),
        (&2.into(), &1.into(), &1.into()),
        "{done}"
    );
    assert!(folder.path("Maildir/cur/1:2,S").exists() && folder.path("Maildir/new/2").exists());
    folder.write("again.mbox", format!("From x Mon Nov 23 02:00:00 2026\n{mail}\n"));
    let done = folder.run("--format json bounce process --mbox again.mbox").ends(0).json();
    assert_eq!((&done["recorded"], &done["seen_before"]), (&0.into(), &1.into()), "{done}");
    let report = folder.run("--format json campaign report hello").ends(0).json();
    let states =
        ["accepted", "bounced", "rejected", "imbalance"].map(|k| report[k].as_i64().unwrap());
    assert_eq!(states, [2, 1, 1, 0], "{report}");
    assert_eq!(report["came_back"][0]["provider"], "other", "{report}");
    folder.run("campaign report hello").ends(0).says(&["came back", "bad_mailbox"]);
    folder.run("suppression list").ends(0).says(&["p0@example.org", "HardBounce", "User unknown"]);
    folder
        .run("explain p0@example.org --campaign hello")
        .ends(0)
        .says(&["bounce hard bad_mailbox", "bounced at"]);
    folder.run("contact show p0@example.org").ends(0).says(&["came back", "suppressed HardBounce"]);
    let events =
        folder.run("--format json bounces list --campaign hello --kind hard").ends(0).json();
    assert_eq!(events[0]["recipient"], "p0@example.org");
    assert_eq!(
        events[0]["details"]["diagnostic"].as_str().map(|w| w.contains("unknown")),
        Some(true)
    );
    let nobody = "From MAILER-DAEMON Mon Nov 23 02:00:00 2026\nFrom: MAILER-DAEMON@mx.test\n\
        Return-Path: <>\nSubject: Undelivered Mail Returned to Sender\n\n\
        Your message could not be delivered.\n";
    folder.write("nobody.mbox", nobody);
    folder.run("bounce process --mbox nobody.mbox").ends(0);
    folder.run("bounce review").ends(0).says(&["no recipient is named"]);
    folder.run("bounce review --show 1").ends(0).says(&["could not be delivered"]);
    folder.run("bounce review --show 7").ends(66).says(&["no mail 7"]);
    folder.run("campaign new second --list readers --pool real --template announcement").ends(0);
    folder.run("campaign schedule second").ends(0);
    folder.run("campaign run second").ends(0);
    let report = folder.run("--format json campaign report second").ends(0).json();
    assert_eq!(
        (&report["audience"], &report["left_out"]["suppressed"]),
        (&2.into(), &2.into()),
        "{report}"
    );
}
