//! The service: mailboxes with copies are looked into, the others logged into now and then; one that fails touches no other.

use crate::fake::{Fake, Quirks};
use crate::world::{World, at, seed};
use postroad_model::Clock as _;
use postroad_model::MailboxProvider::{Google, Yahoo};
use postroad_model::placement::Placement;
use postroad_placement::run;
use postroad_store::Settled;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn the_service_looks_into_what_is_due_and_stops_when_told() {
    let seeds = vec![seed("gmail.test", Google), seed("yahoo.test", Yahoo)];
    let world = World::sent(&["r1"], seeds, &Settled::Accepted).await;
    world.advance(Duration::from_secs(60));
    let fake = Fake::start(Quirks::default()).await;
    let copies = world.copies().await;
    fake.put("INBOX", "", format!("X-Postroad-Ref: {}\r\n", world.reference(&copies[0])));
    let nobody = postroad_testkit::loopback::address();
    let boxes = vec![at(fake.at, "gmail.test", Google, "x"), at(nobody, "yahoo.test", Yahoo, "x")];
    let stop = CancellationToken::new();
    let service = tokio::spawn(run(world.looking(boxes, 1), stop.clone()));
    fake.closed(1).await;
    stop.cancel();
    service.await.unwrap();
    assert_eq!(world.places().await[0], Placement::Inbox);
}

#[tokio::test]
async fn a_node_names_its_mailboxes_and_closes_no_copies_of_another_nodes() {
    let seeds = vec![seed("gmail.test", Google), seed("yahoo.test", Yahoo)];
    let world = World::sent(&["r1"], seeds, &Settled::Accepted).await;
    world.advance(Duration::from_secs(14 * 60));
    let fake = Fake::start(Quirks::default()).await;
    let copies = world.copies().await;
    fake.put("INBOX", "", format!("X-Postroad-Ref: {}\r\n", world.reference(&copies[0])));
    let boxes = vec![at(fake.at, "gmail.test", Google, "x")];
    let stop = CancellationToken::new();
    let service = tokio::spawn(run(world.looking(boxes, 1), stop.clone()));
    fake.closed(1).await;
    stop.cancel();
    service.await.unwrap();
    let named = async || {
        let rows = world.store.seed_mailboxes().await.unwrap();
        let names: Vec<_> = rows.into_iter().map(|m| m.name).collect();
        (names.join(" "), world.copies().await[1].closed)
    };
    assert_eq!(named().await, ("gmail.test yahoo.test".into(), false), "it may be starting anew");
    world.advance(Duration::from_secs(60));
    world.store.close_stray_seed_copies(world.clock.now()).await.unwrap();
    assert_eq!(named().await, ("gmail.test".into(), true));
}

#[tokio::test]
async fn a_mailbox_without_copies_is_logged_into_so_that_a_broken_login_shows() {
    let world = World::sent(&["r1"], vec![seed("gmail.test", Google)], &Settled::Accepted).await;
    let fake = Fake::start(Quirks::default()).await;
    let boxes = vec![at(fake.at, "gmail.test", Google, "x")];
    let stop = CancellationToken::new();
    let service = tokio::spawn(run(world.looking(boxes, 4), stop.clone()));
    fake.closed(1).await;
    stop.cancel();
    service.await.unwrap();
    let row = &world.store.seed_mailboxes().await.unwrap()[0];
    assert!(row.looked_at.is_some() && row.failed_at.is_none(), "{row:?}");
    assert_eq!(world.places().await, [Placement::Pending], "its copy was not due");
}
