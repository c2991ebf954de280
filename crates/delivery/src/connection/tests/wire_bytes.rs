//! What goes over the wire, byte by byte, and to a server that is not ours.

use postroad_model::relay::TlsMode;
use postroad_smtpd::Kind;
use postroad_testkit::{certificate::Authority, smtp_sink};

use super::harness::{Sink, Talk, body, envelope, peer, row, story, target};
use crate::wire::{Command, Outgoing};

#[tokio::test]
async fn the_dot_and_the_next_envelope_leave_before_the_dot_is_answered() {
    let (mut peer, mut talk) = peer("PIPELINING").await;
    talk.offer(row(1)).await;
    peer.hears(&envelope(1)).await;
    peer.say("250 ok\r\n250 ok\r\n354 go\r\n").await;
    talk.expect(&["held 1"]).await;
    peer.hears(&body(&row(1))).await;
    talk.dot(1, Some(row(2))).await;
    peer.hears(&format!(".\r\n{}", envelope(2))).await;
    peer.say("250 queued\r\n250 ok\r\n250 ok\r\n354 go\r\n").await;
    talk.expect(&["answered 1 250", "held 2"]).await;
    peer.hears(&body(&row(2))).await;
    talk.dot(2, None).await;
    peer.hears(".\r\n").await;
    peer.say("451 4.3.0 later\r\n").await;
    talk.expect(&["answered 2 451"]).await;
    talk.send(Command::Quit).await;
    peer.hears("QUIT\r\n").await;
    peer.say("221 bye\r\n").await;
    talk.expect_end(&["closed"]).await;
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn replies_may_be_cut_at_every_byte() {
    let replies = "250 2.1.0 ok\r\n250-2.1.5 ok\r\n250 2.1.5 and more\r\n354 go\r\n";
    for cut in 1..replies.len() {
        let (mut peer, mut talk) = peer("PIPELINING").await;
        peer.0.set_nodelay(true).unwrap();
        talk.offer(row(1)).await;
        peer.hears(&envelope(1)).await;
        peer.say(&replies[..cut]).await;
        tokio::task::yield_now().await;
        peer.say(&replies[cut..]).await;
        talk.expect(&["held 1"]).await;
    }
}

#[tokio::test]
async fn without_pipelining_each_command_waits_for_its_reply() {
    // The sink cuts off who sends ahead, so this also proves that nobody does.
    let sink = Sink::scripted("hide = [\"pipelining\"]").await;
    assert_eq!(story(sink.target(), 2).await, ["answered 1 250", "answered 2 250", "closed"]);
}

#[tokio::test]
async fn dsn_and_smtputf8_are_asked_for_where_they_are_offered() {
    let sink = Sink::scripted("").await;
    let mut talk = Talk::start(sink.target());
    talk.expect(&["opened"]).await;
    let row = Outgoing {
        mail_from: "bounce+1=x@y.test".into(),
        rcpt: "lê@x.test".into(),
        envid: Some("c 7".into()),
        ..*row(1)
    };
    talk.offer(Box::new(row.clone())).await;
    talk.expect(&["held 1"]).await;
    let ascii = Outgoing {
        id: postroad_model::DeliveryId { bucket: 1, id: 2 },
        rcpt: "a+b@x.test".into(),
        orcpt: Some("a+b@x.test".into()),
        ..row
    };
    talk.dot(1, Some(Box::new(ascii))).await;
    talk.expect(&["answered 1 250", "held 2"]).await;
    talk.dot(2, None).await;
    talk.expect(&["answered 2 250"]).await;
    let accepted = sink.memory.of(Kind::Accepted);
    assert_eq!(
        (accepted[0].mail_from.as_str(), accepted[0].rcpts[0].as_str()),
        ("bounce+1=x@y.test", "lê@x.test")
    );
    assert_eq!(accepted[0].envid.as_deref(), Some("c 7"));
    let dsn = &accepted[1].dsn[0];
    let mut notify: Vec<_> = dsn.notify.split(',').map(str::to_ascii_lowercase).collect();
    notify.sort();
    assert_eq!(notify, ["delay", "failure"]);
    assert!(dsn.orcpt.as_deref().is_some_and(|orcpt| orcpt.ends_with("a+b@x.test")), "{dsn:?}");
    assert!(accepted[1].ret.is_some());
}

#[tokio::test]
async fn postfix_gets_each_message_as_it_was() {
    let Some(sink) = smtp_sink::spawn() else { return };
    let target = target(sink.address(), TlsMode::None, &Authority::new());
    let mut told = story(target, 50).await;
    assert_eq!(told.pop().as_deref(), Some("closed"));
    assert_eq!(told, (1..=50).map(|id| format!("answered {id} 250")).collect::<Vec<_>>());
    let mut received = sink.received();
    received.sort_by(|a, b| a.recipients.cmp(&b.recipients));
    assert_eq!(received.len(), 50);
    let first = received.iter().find(|mail| mail.recipients[0].starts_with("<r1@x.test>")).unwrap();
    assert!(first.mail_from.starts_with("<bounce+1@y.test>"), "{first:?}");
    let unstuffed = body(&row(1)).replace("\r\n..", "\r\n.").replace("\r\n", "\n");
    // smtp-sink ends each file with an empty line of its own.
    assert_eq!(first.message.strip_suffix('\n'), Some(unstuffed.as_str()));
}

#[tokio::test]
async fn postfix_gets_the_same_without_pipelining() {
    let Some(sink) = smtp_sink::spawn_with(&["-p", "-d", "m."]) else { return };
    let told = story(target(sink.address(), TlsMode::None, &Authority::new()), 3).await;
    assert_eq!(told, ["answered 1 250", "answered 2 250", "answered 3 250", "closed"]);
    assert_eq!(sink.received().len(), 3);
}
