//! What becomes of the rows when the server breaks, at every phase.

use std::time::Duration;

use postroad_model::relay::TlsMode;
use postroad_smtpd::Kind;

use super::harness::{Sink, Talk, row, row_of, story};
use crate::connection::timeouts::Timeouts;

async fn check(behaviour: &str, rows: i64, expected: &[&str], accepted: usize) {
    let sink = Sink::scripted(behaviour).await;
    assert_eq!(story(sink.target(), rows).await, expected, "{behaviour}");
    assert_eq!(sink.count(Kind::Accepted), accepted, "{behaviour}");
}

fn fault(at: &str, more: &str) -> String {
    format!("faults = [{{ at = \"{at}\", action = \"drop\"{more} }}]")
}

#[tokio::test]
async fn a_connection_that_ends_among_the_replies_leaves_no_doubt() {
    let broken = |phase: &str| format!("broken 1 {phase}: dot No, rcpt Yes");
    check(&fault("mail", ""), 1, &[&broken("MAIL FROM")], 0).await;
    check(&fault("rcpt", ""), 1, &[&broken("RCPT TO")], 0).await;
    check(&fault("data", ""), 1, &[&broken("DATA")], 0).await;
    let mid = ", moment = \"mid_reply\"";
    check(&fault("rcpt", mid), 1, &[&broken("RCPT TO")], 0).await;
    let after = ", moment = \"after_reply\"";
    check(&fault("mail", after), 1, &[&broken("RCPT TO")], 0).await;
}

#[tokio::test]
async fn without_pipelining_it_is_known_that_no_rcpt_was_written() {
    let hidden = "hide = [\"pipelining\"]\n";
    let at_mail = ["broken 1 MAIL FROM: dot No, rcpt No"];
    check(&format!("{hidden}{}", fault("mail", "")), 1, &at_mail, 0).await;
    let at_rcpt = ["broken 1 RCPT TO: dot No, rcpt Yes"];
    check(&format!("{hidden}{}", fault("rcpt", "")), 1, &at_rcpt, 0).await;
}

#[tokio::test]
async fn after_the_dot_only_a_reply_settles_the_row() {
    let unknown = ["broken 1 the reply to the final dot: dot Maybe, rcpt Yes"];
    check(&fault("dot", ""), 1, &unknown, 0).await;
    check(&fault("accepted", ""), 1, &unknown, 1).await;
    check(&fault("dot", ", moment = \"mid_reply\""), 1, &unknown, 1).await;
    let reset = "faults = [{ at = \"accepted\", action = \"reset\" }]";
    check(reset, 1, &unknown, 1).await;
    let half = "faults = [{ at = \"accepted\", action = \"half_close\" }]";
    check(half, 1, &unknown, 1).await;
    let garbage = "faults = [{ at = \"dot\", action = \"garbage\" }]";
    check(garbage, 1, &unknown, 1).await;
}

#[tokio::test]
async fn a_break_under_a_dot_tells_of_the_envelope_behind_it() {
    let both = ["broken 1 the reply to the final dot: dot Maybe, rcpt Yes, next 2 Yes"];
    check(&fault("dot", ""), 2, &both, 0).await;
    let second = ["answered 1 250", "broken 2 the reply to the final dot: dot Maybe, rcpt Yes"];
    check(&fault("dot", ", when = { nth = 2 }"), 2, &second, 1).await;
    let lock_step = format!("hide = [\"pipelining\"]\n{}", fault("dot", ""));
    let back = ["unwritten 2 Closing", "broken 1 the reply to the final dot: dot Maybe, rcpt Yes"];
    check(&lock_step, 2, &back, 0).await;
}

#[tokio::test]
async fn a_break_after_the_reply_to_the_dot_takes_nothing_back() {
    let after = fault("dot", ", moment = \"after_reply\"");
    let sink = Sink::scripted(&after).await;
    let mut talk = Talk::start(sink.target());
    talk.expect(&["opened"]).await;
    talk.offer(row(1)).await;
    talk.expect(&["held 1"]).await;
    talk.dot(1, None).await;
    talk.expect_end(&["answered 1 250", "closed"]).await;
    let next = ["answered 1 250", "broken 2 MAIL FROM: dot No, rcpt Yes"];
    check(&after, 2, &next, 1).await;
}

#[tokio::test]
async fn a_break_in_the_body_is_no_doubt_whatever_its_size() {
    for (action, lines) in [("drop", 20), ("reset", 20), ("drop", 400_000), ("reset", 400_000)] {
        let body =
            format!("faults = [{{ at = \"body\", after_bytes = 30, action = \"{action}\" }}]");
        let sink = Sink::scripted(&body).await;
        let mut talk = Talk::start(sink.target());
        talk.expect(&["opened"]).await;
        talk.offer(row_of(1, lines)).await;
        talk.expect_end(&["held 1", "broken 1 the body: dot No, rcpt Yes"]).await;
        assert_eq!(sink.count(Kind::Dot), 0);
    }
}

#[tokio::test]
async fn strange_but_lawful_replies_are_understood() {
    let answered = ["answered 1 250", "answered 2 250", "closed"];
    let many = r#"faults = [{ at = "rcpt", action = { multiline = { lines = 100 } } }]"#;
    check(many, 2, &answered, 2).await;
    let slow = r#"faults = [{ at = "dot", action = { slow = { byte_ms = 1 } } }]"#;
    check(slow, 2, &answered, 2).await;
    let garbage = r#"faults = [{ at = "mail", action = "garbage" }]"#;
    check(garbage, 1, &["broken 1 MAIL FROM: dot No, rcpt Yes"], 0).await;
    let endless = r#"faults = [{ at = "data", action = { multiline = { lines = 600 } } }]"#;
    check(endless, 1, &["broken 1 DATA: dot No, rcpt Yes"], 0).await;
}

#[tokio::test]
async fn a_stall_ends_at_the_time_out_of_its_phase() {
    let short = Duration::from_millis(50);
    let long = Timeouts::default();
    let check = async |at: &str, timeouts: Timeouts, expected: &str| {
        let stall = format!("faults = [{{ at = \"{at}\", action = {{ stall = {{}} }} }}]");
        let sink = Sink::scripted(&stall).await;
        let mut target = sink.target();
        target.timeouts = timeouts;
        assert_eq!(story(target, 1).await, [expected]);
    };
    let no = |phase: &str| format!("broken 1 {phase}: dot No, rcpt Yes");
    let (mut mail, mut rcpt, mut data) = (long, long, long);
    (mail.mail, rcpt.rcpt, data.data) = (short, short, short);
    check("mail", mail, &no("MAIL FROM")).await;
    check("rcpt", rcpt, &no("RCPT TO")).await;
    check("data", data, &no("DATA")).await;
    let mut dot = Timeouts::hurried(short);
    (dot.connect, dot.greeting, dot.ehlo) = (long.connect, long.greeting, long.ehlo);
    (dot.mail, dot.rcpt, dot.data, dot.block) = (long.mail, long.rcpt, long.data, long.block);
    let unknown = "broken 1 the reply to the final dot: dot Maybe, rcpt Yes";
    check("dot", dot, unknown).await;
    check("accepted", dot, unknown).await;
}

#[tokio::test]
async fn a_body_that_the_relay_does_not_read_ends_at_the_time_out_of_a_block() {
    let stall = r#"faults = [{ at = "body", after_bytes = 30, action = { stall = {} } }]"#;
    let sink = Sink::scripted(stall).await;
    let mut target = sink.target();
    target.timeouts.block = Duration::from_millis(200);
    let mut talk = Talk::start(target);
    talk.expect(&["opened"]).await;
    talk.offer(row_of(1, 1_500_000)).await;
    talk.expect_end(&["held 1", "broken 1 the body: dot No, rcpt Yes"]).await;
}

#[tokio::test]
async fn over_tls_the_same_is_said_of_dots() {
    for mode in [TlsMode::Starttls, TlsMode::Implicit] {
        let sink = Sink::start("", mode).await;
        let answered = ["answered 1 250", "answered 2 250", "answered 3 250", "closed"];
        assert_eq!(story(sink.target(), 3).await, answered);
        let sink = Sink::start(&fault("dot", ", when = { nth = 2 }"), mode).await;
        let unknown = [
            "answered 1 250",
            "broken 2 the reply to the final dot: dot Maybe, rcpt Yes, next 3 Yes",
        ];
        assert_eq!(story(sink.target(), 3).await, unknown);
        assert_eq!(sink.count(Kind::Accepted), 1);
    }
}

#[tokio::test]
async fn a_relay_that_leaves_while_the_connection_is_idle_is_noticed() {
    let sink = Sink::scripted("").await;
    let mut talk = Talk::start(sink.target());
    talk.expect(&["opened"]).await;
    sink.server.shutdown().await;
    talk.expect_end(&["closed 421"]).await;
}

#[tokio::test]
async fn a_dial_that_fails_is_an_event_with_its_phase() {
    let check = async |at: &str, expected: &str| {
        let sink = Sink::scripted(&fault(at, "")).await;
        assert_eq!(story(sink.target(), 1).await, [expected]);
    };
    check("connect", "open failed at the greeting").await;
    check("greeting", "open failed at the greeting").await;
    check("ehlo", "open failed at EHLO").await;
}
