//! Mailboxes that cannot be looked into: nothing of that makes a copy missing, and what was seen before is kept.

use crate::fake::{Fake, Quirks};
use crate::world::{World, at, in_dovecot, seed};
use postroad_model::MailboxProvider::Google;
use postroad_model::placement::Placement;
use postroad_model::{Clock, Timestamp};
use postroad_placement::check;
use postroad_store::Settled;
use postroad_testkit::dovecot;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_refused_login_is_unknown_and_never_missing() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let world = World::sent(&["r1"], vec![seed("g.test", Google)], &Settled::Accepted).await;
    let wrong = at(dovecot.imap(), "g.test", Google, "wrong");
    world.advance(HOUR);
    let looked = world.look(&wrong).await;
    assert!(looked.trouble.as_ref().unwrap().contains("make an app password"), "{looked:?}");
    assert_eq!(world.places().await, [Placement::Unknown]);
    let row = &world.store.seed_mailboxes().await.unwrap()[0];
    assert!(row.failed_at.is_some() && row.looked_at.is_none(), "{row:?}");
    assert_eq!(world.look(&wrong).await.copies, 0, "a refused login is not tried again at once");
    world.advance(5 * HOUR);
    world.look(&wrong).await;
    assert_eq!(world.places().await, [Placement::Unknown]);
    let copy = &world.copies().await[0];
    dovecot.deliver(&copy.address, &world.message(copy, ""));
    world.advance(HOUR);
    world.look(&in_dovecot(&dovecot, "g.test", Google)).await;
    assert_eq!(world.places().await, [Placement::Inbox], "a login that was mended finds it");
    let checked = check(&wrong).await;
    assert!(!checked.ok && checked.needs_a_person, "{checked:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_leaves_what_was_found_and_the_rest_unknown() {
    let seeds = vec![seed("gmail.test", Google)];
    let world = World::sent(&["r1", "r2"], seeds, &Settled::Accepted).await;
    let quirks = Quirks { hangs_up_at: Some("[Gmail]/Spam"), ..Quirks::default() };
    let fake = Fake::start(quirks).await;
    let copies = world.copies().await;
    let header = format!("X-Postroad-Ref: {}\r\n", world.reference(&copies[0]));
    fake.put("INBOX", "", header);
    let seed = at(fake.at, "gmail.test", Google, "x");
    world.advance(5 * HOUR);
    let looked = world.look(&seed).await;
    assert!(looked.trouble.is_some(), "{looked:?}");
    assert_eq!(world.places().await, [Placement::Inbox, Placement::Unknown]);
}

#[tokio::test]
async fn a_junk_folder_that_cannot_be_opened_makes_nothing_missing() {
    let seeds = vec![seed("gmail.test", Google)];
    let world = World::sent(&["r1"], seeds, &Settled::Accepted).await;
    let fake = Fake::start(Quirks { refuses: Some("[Gmail]/Spam"), ..Quirks::default() }).await;
    fake.put("[Gmail]/Spam", "", "Subject: x\r\n".into());
    world.advance(5 * HOUR);
    world.look(&at(fake.at, "gmail.test", Google, "x")).await;
    assert_eq!(world.places().await, [Placement::Unknown]);
}

#[tokio::test]
async fn a_copy_in_all_mail_is_nowhere_else_only_when_the_inbox_could_be_read() {
    let seeds = vec![seed("gmail.test", Google)];
    let world = World::sent(&["r1"], seeds, &Settled::Accepted).await;
    let fake = Fake::start(Quirks { refuses: Some("INBOX"), ..Quirks::default() }).await;
    let header = format!("X-Postroad-Ref: {}\r\n", world.reference(&world.copies().await[0]));
    for folder in ["INBOX", "[Gmail]/All Mail"] {
        fake.put(folder, "", header.clone());
    }
    let seed = at(fake.at, "gmail.test", Google, "x");
    for _ in 0..2 {
        world.advance(Duration::from_secs(600));
        assert!(world.look(&seed).await.trouble.is_some());
    }
    let copy = &world.copies().await[0];
    assert_eq!((copy.placement, copy.closed), (Placement::Unknown, false));
    assert!(fake.commands().iter().any(|c| c.contains("All Mail")), "it was seen there");
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_is_no_verdict_and_is_given_up_one_day() {
    let world = World::sent(&["r1"], vec![seed("g.test", Google)], &Settled::Accepted).await;
    let closed = postroad_testkit::loopback::address();
    let seed = at(closed, "g.test", Google, "x");
    world.advance(5 * HOUR);
    assert!(world.look(&seed).await.trouble.is_some());
    assert_eq!(world.places().await, [Placement::Unknown]);
    world.advance(25 * HOUR);
    world.look(&seed).await;
    assert!(world.copies().await[0].closed);
    assert_eq!(world.places().await, [Placement::Unknown]);
}

#[tokio::test]
async fn a_slow_server_keeps_its_mailbox_and_what_was_found_is_written_at_once() {
    let seeds = vec![seed("gmail.test", Google)];
    let world = World::sent(&["r1", "r2"], seeds, &Settled::Accepted).await;
    let fake = Fake::start(Quirks { gated: true, ..Quirks::default() }).await;
    let header = format!("X-Postroad-Ref: {}\r\n", world.reference(&world.copies().await[0]));
    fake.put("INBOX", "", header);
    let seed = at(fake.at, "gmail.test", Google, "x");
    world.advance(5 * HOUR);
    let other = world.store.register_node("other", "0", Timestamp(0)).await.unwrap();
    let meddle = async {
        for folder in ["INBOX", "Spam", "All Mail"] {
            fake.asked().await;
            world.advance(Duration::from_secs(50));
            let taken = world.store.take_job("seed:gmail.test", other, world.clock.now()).await;
            assert_eq!(taken.unwrap(), None, "{folder}");
            if folder == "Spam" {
                assert_eq!(world.places().await[0], Placement::Inbox, "before the look's end");
            }
            fake.go();
        }
    };
    let (looked, ()) = tokio::join!(world.look(&seed), meddle);
    assert_eq!((looked.found, looked.trouble), (1, None));
    assert_eq!(world.places().await, [Placement::Inbox, Placement::Missing]);
}

#[tokio::test]
async fn a_mailbox_without_anything_due_is_not_logged_into() {
    let world = World::sent(&["r1"], vec![seed("gmail.test", Google)], &Settled::Accepted).await;
    let fake = Fake::start(Quirks::default()).await;
    let looked = world.look(&at(fake.at, "gmail.test", Google, "x")).await;
    assert_eq!((looked.copies, fake.commands().len()), (0, 0));
}

#[tokio::test]
async fn a_refused_login_puts_off_what_is_due_soon_as_well() {
    let seeds = vec![seed("g.test", Google)];
    let world = World::sent(&["r1"], seeds, &Settled::Accepted).await;
    let closed = at(postroad_testkit::loopback::address(), "g.test", Google, "x");
    world.advance(Duration::from_secs(15));
    assert!(world.look(&closed).await.trouble.is_some());
    let next = world.copies().await[0].next_look_at;
    assert_eq!(next, Some(world.clock.now().plus(Duration::from_secs(120))));
}
