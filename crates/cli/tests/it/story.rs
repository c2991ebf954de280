//! One campaign through a real Postfix, everything that may come back from it, and the next campaign.
//!
//! Bounces are collected over IMAP from a real Dovecot. What is told of each person is held against what happened.

use crate::campaigns::records;
use crate::folder::Folder;
use crate::serving::serving_both;
use crate::ways::{ends, mailbox, over_postfix_with};
use postroad_smtpd::Kind;
use postroad_testkit::dovecot;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The envelope sender of the copy that the world took for somebody.
fn sender(sinks: &Folder, person: &str) -> String {
    let log = records(sinks, "a.jsonl");
    let mut taken = log.of(Kind::Accepted).filter(|r| r.rcpts.iter().any(|to| to == person));
    taken.next().unwrap_or_else(|| panic!("nothing was taken for {person}")).mail_from.clone()
}

fn away(person: &str, to: &str) -> String {
    format!(
        "From: {person}\r\nTo: {to}\r\nSubject: Out of office: Hello\r\nAuto-Submitted: auto-replied\r\n\
         Message-ID: <away@example.org>\r\n\r\nI am away until Monday.\r\n"
    )
}

fn complaint(person: &str, to: &str) -> String {
    format!(
        "From: feedback@example.org\r\nTo: {to}\r\nSubject: FW: Hello\r\nMessage-ID: <arf@example.org>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: Loop/1.0\r\n\
         Version: 1\r\nOriginal-Rcpt-To: <{person}>\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: news@example.com\r\nTo: {person}\r\n\
         Subject: Hello\r\n\r\n--b--\r\n"
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process ends some time"
)]
fn wait_for(folder: &Folder, what: &str, line: &str, good: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let shown = folder.run(line).ends(0).json();
        if good(&shown) {
            return shown;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come: {shown}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_comes_back_is_told_and_the_next_campaign_leaves_out_the_right_ones() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let world = [
        "p1@example.org=550 5.1.1 No such user",
        "p2@example.org=552 5.2.2 Mailbox full",
        "p3@example.org=554 5.7.1 Message refused by policy",
    ];
    let at_once = "smtpd_recipient_restrictions = \
                   check_recipient_access inline:{{p6@example.org=550 5.1.1 User unknown}}, permit\n";
    let Some((folder, sinks, _postfix, _sink)) =
        over_postfix_with(dovecot.lmtp(), 7, &world, at_once)
    else {
        return;
    };
    mailbox(&folder, &dovecot, "back", dovecot.imaps(), "bounces = { move = \"Bounces\" }");
    let (serve, _admin, _public) = serving_both(&folder);
    folder.run("campaign schedule hello").ends(0);
    folder.run("campaign status hello --watch").ends(0);
    let report = "--format json campaign report hello";
    wait_for(&folder, "three bounces", report, |r| r["bounced"] == 3);
    let (away_to, complaint_to) =
        (sender(&sinks, "p4@example.org"), sender(&sinks, "p5@example.org"));
    dovecot.deliver(&away_to, &away("p4@example.org", &away_to));
    dovecot.deliver(&complaint_to, &complaint("p5@example.org", &complaint_to));
    let came = wait_for(&folder, "all that came", "--format json bounce list", |list| {
        list.as_array().is_some_and(|all| all.len() >= 6)
    });
    told(&folder, &came);
    // Who is gone for good is left out of the next one, with the reason; whoever may come back is not.
    folder.run("campaign new next --list readers --pool real --template announcement").ends(0);
    folder.run("campaign schedule next").ends(0);
    let next = wait_for(&folder, "the audience", "--format json campaign report next", |r| {
        r["audience"] == 4
    });
    assert_eq!(next["left_out"]["suppressed"], 3, "{next}");
    for gone in ["p1", "p5", "p6"] {
        let line = format!("explain {gone}@example.org --campaign next");
        folder.run(&line).ends(0).says(&["suppressed"]);
    }
    ends(serve);
}

/// The truth about each person, in every place where it is told.
fn told(folder: &Folder, came: &Value) {
    for (person, kind, reason) in [
        ("p1", "hard", "bad_mailbox"),
        ("p2", "soft", "mailbox_full"),
        ("p3", "block", "policy"),
        ("p4", "autoreply", "auto_reply"),
        ("p5", "complaint", "complaint"),
        ("p6", "hard", "bad_mailbox"),
    ] {
        let address = format!("{person}@example.org");
        let line = format!("--format json bounce list --address {address}");
        let of = folder.run(&line).ends(0).json();
        assert_eq!(of.as_array().map(Vec::len), Some(1), "{of}, {came}");
        assert_eq!((&of[0]["kind"], &of[0]["reason"]), (&kind.into(), &reason.into()), "{of}");
        let line = format!("explain {address} --campaign hello");
        folder.run(&line).ends(0).says(&[reason]);
    }
    let report = folder.run("--format json campaign report hello").ends(0).json();
    let states = ["accepted", "rejected", "bounced", "unknown", "imbalance"].map(|k| &report[k]);
    assert_eq!(states.map(Value::as_i64), [3, 1, 3, 0, 0].map(Some), "{report}");
    let list = folder.run("--format json suppression list").ends(0).json_lines();
    let mut suppressed: Vec<(&str, &str)> = (list.iter())
        .filter_map(|s| Some((s["address"].as_str()?, s["reason"].as_str()?)))
        .collect();
    suppressed.sort_unstable();
    let gone = [
        ("p1@example.org", "hard_bounce"),
        ("p5@example.org", "complaint"),
        ("p6@example.org", "hard_bounce"),
    ];
    assert_eq!(suppressed, gone, "{list:?}");
}
