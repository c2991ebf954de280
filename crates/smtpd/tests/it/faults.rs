//! Every way in which a server can break, at every phase: what the client sees, and what is recorded.

use postroad_smtpd::{Kind, ServerSettings};

use crate::client::{Client, MESSAGE, Sink, Time};

/// Sends a whole message ahead and reads six replies, or as many as there are.
async fn check(behaviour: &str, replies: &[&str], accepted: usize) {
    let sink = Sink::scripted(behaviour).await;
    let mut client = sink.client().await;
    client.send(MESSAGE).await;
    assert_eq!(client.codes(6).await, replies, "{behaviour}");
    assert_eq!(sink.memory.of(Kind::Accepted).len(), accepted, "{behaviour}");
}

fn drop_at(phase: &str) -> String {
    format!("faults = [{{ at = \"{phase}\", action = \"drop\" }}]")
}

#[tokio::test]
async fn a_connection_is_dropped_at_each_phase() {
    check(&drop_at("connect"), &["closed"], 0).await;
    check(&drop_at("greeting"), &["closed"], 0).await;
    check(&drop_at("ehlo"), &["220", "closed"], 0).await;
    check(&drop_at("mail"), &["220", "250", "closed"], 0).await;
    check(&drop_at("rcpt"), &["220", "250", "250", "closed"], 0).await;
    check(&drop_at("data"), &["220", "250", "250", "250", "closed"], 0).await;
    check(&drop_at("body"), &["220", "250", "250", "250", "354", "closed"], 0).await;
    check(&drop_at("dot"), &["220", "250", "250", "250", "354", "closed"], 0).await;
    check(&drop_at("accepted"), &["220", "250", "250", "250", "354", "closed"], 1).await;
    check(&drop_at("quit"), &["220", "250", "250", "250", "354", "250"], 1).await;
}

#[tokio::test]
async fn a_connection_is_reset() {
    for (phase, accepted) in [("dot", 0), ("accepted", 1)] {
        let sink =
            Sink::scripted(&format!("faults = [{{ at = \"{phase}\", action = \"reset\" }}]")).await;
        let mut client = sink.client().await;
        client.send(MESSAGE).await;
        let codes = client.codes(6).await;
        assert_eq!(codes.last().map(String::as_str), Some("reset"), "{codes:?}");
        assert_eq!(sink.memory.of(Kind::Accepted).len(), accepted);
        assert_eq!(sink.memory.of(Kind::Dot).len(), 1);
    }
}

#[tokio::test]
async fn a_body_is_cut_before_its_dot_is_seen() {
    let fault = r#"faults = [{ at = "body", after_bytes = 30, action = "reset" }]"#;
    let sink = Sink::scripted(fault).await;
    let mut client = sink.client().await;
    client.send(MESSAGE).await;
    assert_eq!(client.codes(6).await.last().map(String::as_str), Some("reset"));
    assert_eq!(sink.memory.of(Kind::Dot).len(), 0);
    // A body that is shorter than the cut goes through.
    let fault = r#"faults = [{ at = "body", after_bytes = 3000, action = "reset" }]"#;
    check(fault, &["220", "250", "250", "250", "354", "250"], 1).await;
}

#[tokio::test]
async fn half_a_reply_is_no_reply() {
    let fault = r#"faults = [{ at = "dot", moment = "mid_reply", action = "drop" }]"#;
    let sink = Sink::scripted(fault).await;
    let mut client = sink.client().await;
    client.send(MESSAGE).await;
    let codes = client.codes(6).await;
    assert_eq!(codes.last().map(String::as_str), Some("cut: 250 2.0.0 O"));
    assert_eq!(sink.memory.of(Kind::Accepted).len(), 1);
}

#[tokio::test]
async fn a_connection_ends_right_after_a_reply() {
    let fault = r#"faults = [{ at = "mail", moment = "after_reply", action = "drop" }]"#;
    check(fault, &["220", "250", "250", "closed"], 0).await;
}

#[tokio::test]
async fn a_half_closed_connection_still_reads() {
    let fault = r#"faults = [{ at = "dot", action = "half_close" }]"#;
    let sink = Sink::scripted(fault).await;
    let mut client = sink.client().await;
    client.send(MESSAGE).await;
    assert_eq!(client.codes(6).await.last().map(String::as_str), Some("closed"));
    client.send(vec![b'x'; 100_000]).await;
    assert_eq!(client.line().await, Err("closed".to_owned()), "no reset comes back");
    assert_eq!(sink.server.open_connections(), 1);
}

#[tokio::test]
async fn a_stall_ends_with_the_server() {
    let fault = r#"faults = [{ at = "accepted", action = { stall = {} } }]"#;
    let sink = Sink::scripted(fault).await;
    let mut client = sink.client().await;
    client.send(MESSAGE).await;
    assert_eq!(client.codes(5).await, ["220", "250", "250", "250", "354"]);
    sink.memory.accepted(1).await;
    sink.server.shutdown().await;
    assert!(client.line().await.is_err(), "accepted, and never answered");
}

#[tokio::test]
async fn a_short_stall_only_delays() {
    let fault = r#"faults = [{ at = "rcpt", action = { stall = { ms = 20 } } }]
                   latency = [{ at = "dot", min_ms = 1, max_ms = 20 }]"#;
    check(fault, &["220", "250", "250", "250", "354", "250"], 1).await;
}

#[tokio::test]
async fn strange_replies() {
    let multiline = r#"faults = [{ at = "rcpt", action = { multiline = { lines = 3 } } }]"#;
    check(multiline, &["220", "250", "250", "250", "354", "250"], 1).await;
    let slow = r#"faults = [{ at = "dot", action = { slow = { byte_ms = 1 } } }]"#;
    check(slow, &["220", "250", "250", "250", "354", "250"], 1).await;
    let sink = Sink::scripted(r#"faults = [{ at = "mail", action = "garbage" }]"#).await;
    let mut client = sink.client().await;
    client.send(MESSAGE).await;
    client.codes(2).await;
    assert!(client.line().await.unwrap().contains("not a reply"));
}

#[tokio::test]
async fn a_fault_strikes_on_the_occasion_it_was_told() {
    let fault = r#"faults = [{ at = "accepted", action = "drop", when = { nth = 2 } }]"#;
    let sink = Sink::scripted(fault).await;
    let mut last = Vec::new();
    for _ in 0..3 {
        let mut client = sink.client().await;
        client.send(MESSAGE).await;
        last.push(client.codes(6).await.pop().unwrap());
    }
    assert_eq!(last, ["250", "closed", "250"]);
    assert_eq!(sink.memory.of(Kind::Accepted).len(), 3);
}

#[tokio::test]
async fn a_fault_for_one_domain_spares_the_others() {
    let fault = r#"faults = [{ at = "dot", recipient = "other.test", action = "drop" }]"#;
    check(fault, &["220", "250", "250", "250", "354", "250"], 1).await;
    let fault = r#"faults = [{ at = "dot", recipient = "x.test", action = "drop" }]"#;
    check(fault, &["220", "250", "250", "250", "354", "closed"], 0).await;
}

#[tokio::test]
async fn a_silent_client_is_sent_away_and_one_too_many_is_refused() {
    let mut settings = Time::default().settings();
    settings.limits.idle_ms_max = 50;
    settings.limits.connections_max = 1;
    let sink = Sink::start(ServerSettings { ..settings }).await;
    let mut first = sink.client().await;
    assert_eq!(first.codes(1).await, ["220"]);
    let mut second = sink.client().await;
    let too_many = second.line().await.unwrap();
    assert!(too_many.starts_with("421 4.3.2 Too many connections"), "{too_many}");
    assert!(first.line().await.unwrap().starts_with("421 4.4.2 Idle"));
    assert_eq!(first.line().await, Err("closed".to_owned()));
}

#[tokio::test]
async fn shutdown_says_421_to_who_waits() {
    let sink = Sink::start(Time::default().settings()).await;
    let mut client = sink.client().await;
    assert_eq!(client.codes(1).await, ["220"]);
    let (_, rest) = tokio::join!(sink.server.shutdown(), Client::rest(&mut client));
    assert_eq!(rest, b"421 4.3.2 Service shutting down\r\n");
}
