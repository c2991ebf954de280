//! Rows that are held: no dot without a good permit.

use std::time::Duration;

use postroad_model::Clock as _;
use postroad_smtpd::Kind;
use tokio::io::AsyncWriteExt as _;

use super::harness::{Sink, Talk, body, envelope, line, peer, permit, row, row_of};
use crate::{
    connection::{
        dialogue::{Dialogue, End},
        held::Held,
        timeouts::Timeouts,
    },
    dial::dial,
    wire::{Command, DotWritten, RcptWritten},
};

/// A held row 1 at our sink.
async fn held() -> (Sink, Talk) {
    let sink = Sink::scripted("").await;
    let mut talk = Talk::start(sink.target());
    talk.expect(&["opened"]).await;
    talk.offer(row(1)).await;
    talk.expect(&["held 1"]).await;
    (sink, talk)
}

#[tokio::test]
async fn an_expired_permit_writes_nothing_and_is_handed_back() {
    let (sink, mut talk) = held().await;
    let expires_at = talk.clock.now().plus(Duration::from_secs(60));
    talk.clock.advance(Duration::from_secs(60));
    let next = Some(row(2));
    talk.send(Command::Dot { permit: permit(1, expires_at), next }).await;
    talk.expect_end(&["handed back 1", "unwritten 2 Closing", "closed"]).await;
    sink.server.shutdown().await;
    assert_eq!((sink.memory.of(Kind::Dot).len(), sink.memory.of(Kind::Rcpt).len()), (0, 1));
}

#[tokio::test]
async fn a_permit_of_another_row_writes_nothing() {
    let (sink, mut talk) = held().await;
    talk.dot(2, None).await;
    talk.expect_end(&["handed back 1", "closed"]).await;
    sink.server.shutdown().await;
    assert_eq!(sink.memory.of(Kind::Dot).len(), 0);
}

#[tokio::test]
async fn a_permit_for_an_idle_connection_is_handed_back() {
    let sink = Sink::scripted("").await;
    let mut talk = Talk::start(sink.target());
    talk.expect(&["opened"]).await;
    talk.dot(1, Some(row(2))).await;
    talk.expect_end(&["handed back 1", "unwritten 2 Closing", "closed"]).await;
}

#[tokio::test]
async fn a_withdrawn_row_gets_no_dot_however_the_engine_says_it() {
    for ending in [Some(Command::Withdraw), Some(Command::Quit), None] {
        let (sink, mut talk) = held().await;
        match ending {
            Some(command) => talk.send(command).await,
            None => talk.commands = None,
        }
        talk.expect_end(&["closed"]).await;
        sink.server.shutdown().await;
        assert_eq!(sink.memory.of(Kind::Dot).len(), 0);
    }
}

#[tokio::test]
async fn a_row_offered_while_another_is_held_goes_back() {
    let (_sink, mut talk) = held().await;
    talk.offer(row(2)).await;
    talk.expect(&["unwritten 2 Closing"]).await;
    talk.dot(1, None).await;
    talk.expect(&["answered 1 250"]).await;
}

#[tokio::test]
async fn a_reply_before_the_dot_settles_the_row() {
    for (reply, told) in [
        ("552 5.3.4 too large\r\n", &["early 1 552", "closed 552"][..]),
        ("421 4.3.2 going down\r\n", &["early 1 421", "closed 421"]),
        ("250 ok?\r\n", &["broken 1 the body: dot No, rcpt Yes"]),
    ] {
        let (mut peer, mut talk) = peer("PIPELINING").await;
        talk.offer(row(1)).await;
        peer.hears(&envelope(1)).await;
        peer.say("250 ok\r\n250 ok\r\n354 go\r\n").await;
        talk.expect(&["held 1"]).await;
        peer.hears(&body(&row(1))).await;
        peer.say(reply).await;
        talk.expect_end(told).await;
        assert_eq!(peer.rest().await, "", "no dot");
    }
}

#[tokio::test]
async fn a_reply_in_the_middle_of_a_large_body_stops_it() {
    let (mut peer, mut talk) = peer("PIPELINING").await;
    talk.offer(row_of(1, 1_500_000)).await;
    peer.hears(&envelope(1)).await;
    peer.say("250 ok\r\n250 ok\r\n354 go\r\n").await;
    peer.hears("Message-ID").await;
    peer.say("552 5.3.4 too large\r\n").await;
    talk.expect_end(&["held 1", "early 1 552", "closed 552"]).await;
}

#[tokio::test]
async fn the_last_words_of_a_relay_that_hangs_up_in_the_body_are_heard() {
    let (mut peer, mut talk) = peer("PIPELINING").await;
    talk.offer(row_of(1, 400_000)).await;
    peer.hears(&envelope(1)).await;
    peer.say("250 ok\r\n250 ok\r\n354 go\r\n").await;
    talk.expect(&["held 1"]).await;
    peer.say("552 5.3.4 too large\r\n").await;
    // Unread input turns the close into a reset.
    drop(peer);
    talk.expect_end(&["early 1 552", "closed 552"]).await;
}

#[tokio::test]
async fn a_dot_that_the_socket_did_not_take_leaves_no_doubt() {
    let sink = Sink::scripted("").await;
    let mut connection = dial(&sink.target()).await.unwrap();
    connection.link.stream.shutdown().await.unwrap();
    let (line, talk) = line();
    let good = permit(1, talk.clock.now().plus(Duration::from_secs(60)));
    let mut dialogue = Dialogue::new(connection, line, Timeouts::default());
    let end = Held::new(&mut dialogue, row(1)).commit(good, Some(row(2))).await;
    let Err(End::Broken(broken)) = end else { panic!("a closed socket took a dot") };
    assert_eq!((broken.dot, broken.rcpt, broken.next), (DotWritten::No, RcptWritten::Yes, None));
}
