//! Envelopes that are refused, lapse or cannot be written, and what follows them.

use std::time::Duration;

use postroad_model::{Clock as _, Timestamp};
use postroad_smtpd::Kind;

use super::harness::{NOW, Sink, Talk, body, envelope, peer, row, story};
use crate::wire::{Command, Outgoing};

async fn check(behaviour: &str, rows: i64, expected: &[&str], accepted: usize) {
    let sink = Sink::scripted(behaviour).await;
    assert_eq!(story(sink.target(), rows).await, expected, "{behaviour}");
    assert_eq!(sink.count(Kind::Accepted), accepted, "{behaviour}");
    assert_eq!(sink.count(Kind::Dot), accepted, "{behaviour}");
}

#[tokio::test]
async fn every_row_of_a_reused_connection_is_answered() {
    let expected: Vec<String> = (1..=200).map(|id| format!("answered {id} 250")).collect();
    for behaviour in ["", "hide = [\"pipelining\"]"] {
        let sink = Sink::scripted(behaviour).await;
        let mut told = story(sink.target(), 200).await;
        assert_eq!(told.pop().as_deref(), Some("closed"));
        assert_eq!(told, expected);
        assert_eq!(sink.count(Kind::Accepted), 200);
        assert_eq!(sink.server.connections(), 1);
    }
}

#[tokio::test]
async fn a_refused_row_leaves_the_connection_to_the_next() {
    let refuse = |at: &str, from: &str| {
        format!("rules = [{{ at = \"{at}\", {from}, reply = \"550 5.7.509 no\" }}]")
    };
    let second = ["answered 2 250", "answered 3 250", "closed"];
    let all = |first: &str| [&[first], &second[..]].concat().join(", ");
    let check = async |behaviour: &str, first: &str| {
        let sink = Sink::scripted(behaviour).await;
        assert_eq!(story(sink.target(), 3).await.join(", "), all(first), "{behaviour}");
        assert_eq!((sink.count(Kind::Accepted), sink.count(Kind::Dot)), (2, 2));
    };
    let rcpt = refuse("rcpt", "recipient = \"r1@x.test\"");
    let mail = refuse("mail", "sender = \"bounce+1@y.test\"");
    let data = refuse("data", "sender = \"bounce+1@y.test\"");
    check(&rcpt, "refused 1 RCPT TO 550 rcpt Yes").await;
    check(&mail, "refused 1 MAIL FROM 550 rcpt Yes").await;
    check(&data, "refused 1 DATA 550 rcpt Yes").await;
    let lock_step = |rules: &str| format!("hide = [\"pipelining\"]\n{rules}");
    check(&lock_step(&rcpt), "refused 1 RCPT TO 550 rcpt Yes").await;
    check(&lock_step(&mail), "refused 1 MAIL FROM 550 rcpt No").await;
    check(&lock_step(&data), "refused 1 DATA 550 rcpt Yes").await;
}

#[tokio::test]
async fn a_refusal_behind_a_dot_takes_nothing_from_its_answer() {
    let rules = r#"rules = [{ at = "rcpt", recipient = "r2@x.test", reply = "450 4.2.1 later" }]"#;
    let told = ["answered 1 250", "refused 2 RCPT TO 450 rcpt Yes", "answered 3 250", "closed"];
    check(rules, 3, &told, 2).await;
}

#[tokio::test]
async fn a_354_after_a_refused_rcpt_is_left_without_a_dot() {
    let go_ahead = r#"data_without_recipients = "go_ahead"
        rules = [{ at = "rcpt", reply = "550 5.1.1 no such user" }]"#;
    check(go_ahead, 1, &["refused 1 RCPT TO 550 rcpt Yes", "closed"], 0).await;
}

#[tokio::test]
async fn a_421_settles_its_row_and_ends_the_connection() {
    let full = "messages_per_connection = 1";
    check(full, 2, &["answered 1 250", "refused 2 MAIL FROM 421 rcpt Yes", "closed 421"], 1).await;
    let lock_step = "hide = [\"pipelining\"]\nmessages_per_connection = 1";
    let told = ["answered 1 250", "refused 2 MAIL FROM 421 rcpt No", "closed 421"];
    check(lock_step, 2, &told, 1).await;
    let rcpt = r#"rules = [{ at = "rcpt", reply = "421 4.7.0 too fast" }]"#;
    check(rcpt, 1, &["refused 1 RCPT TO 421 rcpt Yes", "closed 421"], 0).await;
}

#[tokio::test]
async fn a_421_to_the_dot_answers_it_and_breaks_the_envelope_behind() {
    let dot = r#"rules = [{ at = "dot", reply = "421 4.3.2 going down" }]"#;
    let sink = Sink::scripted(dot).await;
    let told = ["answered 1 421", "broken 2 MAIL FROM: dot No, rcpt Yes"];
    assert_eq!(story(sink.target(), 2).await, told);
    let sink = Sink::scripted(dot).await;
    assert_eq!(story(sink.target(), 1).await, ["answered 1 421", "closed 421"]);
}

fn until(ms: i64) -> Option<Timestamp> {
    Some(postroad_testkit::clock::time(NOW).plus_ms(ms))
}

fn lapsing(id: i64, use_by: Option<Timestamp>) -> Box<Outgoing> {
    Box::new(Outgoing { use_by, ..*row(id) })
}

#[tokio::test]
async fn no_rcpt_is_written_from_use_by_on() {
    for behaviour in ["", "hide = [\"pipelining\"]"] {
        let sink = Sink::scripted(behaviour).await;
        let mut talk = Talk::start(sink.target());
        talk.expect(&["opened"]).await;
        talk.offer(lapsing(1, until(0))).await;
        talk.expect(&["lapsed 1"]).await;
        talk.offer(lapsing(2, until(1))).await;
        talk.expect(&["held 2"]).await;
        talk.dot(2, Some(lapsing(3, until(0)))).await;
        talk.expect(&["lapsed 3", "answered 2 250"]).await;
        talk.send(Command::Quit).await;
        talk.expect_end(&["closed"]).await;
        assert_eq!((sink.count(Kind::Rcpt), sink.count(Kind::Accepted)), (1, 1));
    }
}

#[tokio::test]
async fn use_by_is_looked_at_again_when_mail_was_answered() {
    let (mut peer, mut talk) = peer("").await;
    talk.offer(lapsing(1, until(1000))).await;
    peer.hears("MAIL FROM:<bounce+1@y.test>\r\n").await;
    talk.clock.advance(Duration::from_secs(1));
    peer.say("250 ok\r\n").await;
    talk.expect(&["lapsed 1"]).await;
    talk.offer(row(2)).await;
    peer.hears("RSET\r\n").await;
    peer.say("250 ok\r\n").await;
    peer.hears("MAIL FROM:<bounce+2@y.test>\r\n").await;
    assert!(talk.clock.now() > until(0).unwrap());
}

#[tokio::test]
async fn rset_stands_in_the_same_write_as_the_next_envelope() {
    let (mut peer, mut talk) = peer("PIPELINING").await;
    talk.offer(row(1)).await;
    peer.hears(&envelope(1)).await;
    peer.say("250 ok\r\n550 5.1.1 no\r\n503 no rcpt\r\n").await;
    talk.expect(&["refused 1 RCPT TO 550 rcpt Yes"]).await;
    talk.offer(row(2)).await;
    peer.hears(&format!("RSET\r\n{}", envelope(2))).await;
    peer.say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n").await;
    talk.expect(&["held 2"]).await;
    peer.hears(&body(&row(2))).await;
    talk.dot(2, None).await;
    peer.hears(".\r\n").await;
    peer.say("250 ok\r\n").await;
    talk.expect(&["answered 2 250"]).await;
    talk.offer(row(3)).await;
    peer.hears(&envelope(3)).await;
}

#[tokio::test]
async fn a_refused_rset_is_nobodys_fault_but_the_connections() {
    let (mut peer, mut talk) = peer("PIPELINING").await;
    talk.offer(row(1)).await;
    peer.say("250 ok\r\n550 no\r\n503 no\r\n").await;
    talk.expect(&["refused 1 RCPT TO 550 rcpt Yes"]).await;
    talk.offer(row(2)).await;
    peer.say("502 no RSET here\r\n").await;
    talk.expect_end(&["broken 2 MAIL FROM: dot No, rcpt Yes"]).await;
}

#[tokio::test]
async fn a_refusal_that_was_read_stays_when_the_connection_breaks_behind_it() {
    let (mut peer, mut talk) = peer("PIPELINING").await;
    talk.offer(row(1)).await;
    peer.hears(&envelope(1)).await;
    peer.say("250 ok\r\n550 5.1.1 no\r\n").await;
    drop(peer);
    talk.expect_end(&["refused 1 RCPT TO 550 rcpt Yes", "closed"]).await;
}

#[tokio::test]
async fn what_the_relay_cannot_take_is_not_written() {
    let sink = Sink::scripted("hide = [\"smtputf8\"]").await;
    let mut talk = Talk::start(sink.target());
    talk.expect(&["opened"]).await;
    talk.offer(Box::new(Outgoing { rcpt: "lê@x.test".into(), ..*row(1) })).await;
    talk.expect(&["unwritten 1 NeedsSmtputf8"]).await;
    talk.offer(Box::new(Outgoing { size: 1 << 40, ..*row(2) })).await;
    talk.expect(&["unwritten 2 TooLarge { max: 52428800 }"]).await;
    talk.offer(Box::new(Outgoing { rcpt: "a@x.test>\r\nQUIT".into(), ..*row(3) })).await;
    talk.expect(&["unwritten 3 BadAddress"]).await;
    talk.offer(row(4)).await;
    talk.expect(&["held 4"]).await;
    assert_eq!(sink.count(Kind::Rcpt), 1);
}
