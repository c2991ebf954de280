//! Gmail's behaviour: tabs by its own search, All Mail without spam, searches by header that find nothing.

use crate::fake::{Fake, Quirks};
use crate::world::{World, at, seed};
use postroad_model::MailboxProvider::Google;
use postroad_model::placement::Placement;
use postroad_store::Settled;
use std::time::Duration;

async fn world(relays: &[&str]) -> World {
    let world = World::sent(relays, vec![seed("gmail.test", Google)], &Settled::Accepted).await;
    world.advance(Duration::from_secs(60));
    world
}

fn header(world: &World, copy: &postroad_store::SeedCopy) -> String {
    format!("X-Postroad-Ref: {}\r\n", world.reference(copy))
}

#[tokio::test]
async fn a_tab_of_the_inbox_is_told_from_its_first_page() {
    let world = world(&["r1", "r2", "r3"]).await;
    let fake = Fake::start(Quirks::default()).await;
    let copies = world.copies().await;
    for (copy, (folder, tab)) in
        copies.iter().zip([("INBOX", "promotions"), ("INBOX", ""), ("[Gmail]/Spam", "")])
    {
        if folder == "INBOX" {
            fake.put("[Gmail]/All Mail", tab, header(&world, copy));
        }
        fake.put(folder, tab, header(&world, copy));
    }
    let looked = world.look(&at(fake.at, "gmail.test", Google, "x")).await;
    assert_eq!((looked.found, looked.trouble), (3, None));
    let found = world.copies().await;
    let places: Vec<_> = found.iter().map(|c| c.placement).collect();
    assert_eq!(places, [Placement::Promotions, Placement::Inbox, Placement::Spam]);
    assert_eq!(found[0].tab.as_deref(), Some("promotions"));
    assert_eq!(found[2].folder.as_deref(), Some("[Gmail]/Spam"));
    let commands = fake.commands();
    let writes = ["SELECT", "STORE", "COPY", "MOVE", "EXPUNGE", "BODY[", "APPEND", "DELETE"];
    let wrote = |c: &&String| writes.iter().any(|w| c.to_ascii_uppercase().contains(w));
    assert_eq!(commands.iter().filter(wrote).count(), 0, "{commands:?}");
}

#[tokio::test]
async fn where_a_search_by_header_finds_nothing_the_newest_messages_are_looked_at() {
    let world = world(&["r1"]).await;
    let fake = Fake::start(Quirks { blind_search: true, ..Quirks::default() }).await;
    fake.put("INBOX", "", "X-Postroad-Ref: somebody-elses\r\n".into());
    fake.put("INBOX", "updates", header(&world, &world.copies().await[0]));
    let seed = at(fake.at, "gmail.test", Google, "x");
    assert_eq!(world.look(&seed).await.found, 0);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.look(&seed).await.found, 1);
    let copy = &world.copies().await[0];
    assert_eq!((copy.placement, copy.tab.as_deref()), (Placement::Promotions, Some("updates")));
}

#[tokio::test]
async fn a_first_look_that_comes_late_searches_everywhere_before_anything_is_missing() {
    let world = world(&["r1", "r2", "r3"]).await;
    let fake = Fake::start(Quirks { blind_search: true, ..Quirks::default() }).await;
    let copies = world.copies().await;
    for (copy, folder) in copies.iter().zip(["INBOX", "[Gmail]/All Mail"]) {
        fake.put(folder, "", header(&world, copy));
    }
    world.advance(Duration::from_secs(30 * 3_600));
    assert_eq!(world.look(&at(fake.at, "gmail.test", Google, "x")).await.found, 2);
    assert_eq!(world.places().await, [Placement::Inbox, Placement::Other, Placement::Missing]);
}

#[tokio::test]
async fn a_connection_is_kept_for_a_copy_that_comes_soon() {
    let world = world(&["r1"]).await;
    // Opened for the first look, for the wait, and for the second look.
    let fake = Fake::start(Quirks { empty_until: 2, ..Quirks::default() }).await;
    fake.put("INBOX", "", header(&world, &world.copies().await[0]));
    let looked = world.look_kept(&at(fake.at, "gmail.test", Google, "x")).await;
    assert_eq!((looked.found, looked.trouble), (1, None));
    let logins = fake.commands().iter().filter(|c| c.starts_with("LOGIN")).count();
    assert_eq!(logins, 1);
}

#[tokio::test]
async fn what_a_rule_archived_is_in_another_folder() {
    let world = world(&["r1"]).await;
    let fake = Fake::start(Quirks::default()).await;
    fake.put("[Gmail]/All Mail", "", header(&world, &world.copies().await[0]));
    let seed = at(fake.at, "gmail.test", Google, "x");
    world.look(&seed).await;
    world.advance(Duration::from_secs(60));
    world.look(&seed).await;
    assert_eq!(world.places().await, [Placement::Other]);
}

#[tokio::test]
async fn a_copy_that_arrives_between_two_folders_is_in_the_inbox() {
    let world = world(&["r1"]).await;
    let fake = Fake::start(Quirks { inbox_after_all: true, ..Quirks::default() }).await;
    let seed = at(fake.at, "gmail.test", Google, "x");
    world.look(&seed).await;
    let header = header(&world, &world.copies().await[0]);
    fake.put("[Gmail]/All Mail", "", header.clone());
    fake.put("INBOX", "", header);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.look(&seed).await.found, 1);
    assert_eq!(world.places().await, [Placement::Inbox]);
}
