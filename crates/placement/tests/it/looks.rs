//! Looks into a real Dovecot: inbox, junk by Sieve, other folders, late and missing copies; nothing is marked as read.

use crate::world::{World, in_dovecot, seed};
use postroad_model::MailboxProvider::{Google, Yahoo};
use postroad_model::delivery::DeliveryState;
use postroad_model::placement::{AuthResult, Placement};
use postroad_placement::check;
use postroad_store::Settled;
use postroad_testkit::dovecot;
use std::time::Duration;

const FILING: &str = "require [\"fileinto\", \"mailbox\", \"editheader\"];\n\
    if header :contains \"X-Seen\" \"yes\"\n\
    { addheader \"Authentication-Results\" \"mx.g.test; spf=pass; dkim=pass; dmarc=fail\"; }\n\
    if header :contains \"X-Filed\" \"junk\" { fileinto \"Junk\"; }\n\
    if header :contains \"X-Filed\" \"rule\" { fileinto :create \"Offers\"; }\n";

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_copy_is_found_where_it_landed_and_nothing_in_the_mailbox_changes() {
    let Some(dovecot) = dovecot::spawn_sieve(FILING) else { return };
    let seeds = vec![seed("g.test", Google), seed("y.test", Yahoo)];
    let world = World::sent(&["r1", "r2", "r3"], seeds, &Settled::Accepted).await;
    let copies = world.copies().await;
    assert_eq!(copies.len(), 6);
    let seen = "Authentication-Results: relay.test; spf=fail; dkim=fail\nX-Seen: yes\n";
    for (copy, more) in copies.iter().zip([seen, "X-Filed: junk\n", "X-Filed: rule\n", "", "", ""])
    {
        dovecot.deliver(&copy.address, &world.message(copy, more));
    }
    let boxes = [in_dovecot(&dovecot, "g.test", Google), in_dovecot(&dovecot, "y.test", Yahoo)];
    assert_eq!(world.look(&boxes[0]).await.copies, 0, "the first look is due after 15 seconds");
    world.advance(Duration::from_secs(15));
    for seed in &boxes {
        let looked = world.look(seed).await;
        assert_eq!((looked.copies, looked.trouble), (3, None));
    }
    use Placement::{Inbox, Other, Pending, Spam};
    assert_eq!(world.places().await, [Inbox, Spam, Pending, Inbox, Inbox, Inbox]);
    world.advance(MINUTE);
    assert_eq!(world.look(&boxes[0]).await.found, 1, "other folders wait for the second look");
    assert_eq!(world.places().await, [Inbox, Spam, Other, Inbox, Inbox, Inbox]);
    let copies = world.copies().await;
    let folders: Vec<_> = copies.iter().filter_map(|c| c.folder.as_deref()).collect();
    assert_eq!(folders, ["INBOX", "Junk", "Offers", "INBOX", "INBOX", "INBOX"]);
    let authentication = copies[0].authentication;
    assert_eq!(authentication.dkim, Some(AuthResult::Pass));
    assert_eq!(authentication.dmarc, Some(AuthResult::Fail));
    assert!(copies.iter().all(|c| c.closed && c.arrived_after_ms.is_some()), "{copies:?}");
    let unseen = |folder| dovecot.unseen("g.test", folder);
    assert_eq!((unseen(""), unseen("Junk"), unseen("Offers")), (1, 1, 1));
    assert_eq!(world.look(&boxes[0]).await.copies, 0, "what was found is not looked for again");
}

#[tokio::test]
async fn a_copy_is_missing_after_hours_and_found_late_all_the_same() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let seeds = vec![seed("g.test", Google)];
    let world = World::sent(&["r1", "r2"], seeds, &Settled::Accepted).await;
    let seed = in_dovecot(&dovecot, "g.test", Google);
    for by in [MINUTE, 10 * MINUTE, 180 * MINUTE] {
        world.advance(by);
        world.look(&seed).await;
        assert_eq!(world.places().await, [Placement::Pending; 2]);
    }
    world.advance(60 * MINUTE);
    world.look(&seed).await;
    assert_eq!(world.places().await, [Placement::Missing; 2]);
    let late = &world.copies().await[0];
    dovecot.deliver(&late.address, &world.message(late, ""));
    world.advance(60 * MINUTE);
    world.look(&seed).await;
    assert_eq!(world.places().await, [Placement::Inbox, Placement::Missing]);
    world.advance(24 * 60 * MINUTE);
    world.look(&seed).await;
    assert!(world.copies().await[1].closed, "a day later nobody looks any more");
}

#[tokio::test]
async fn only_our_own_reference_counts() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let world = World::sent(&["r1"], vec![seed("g.test", Google)], &Settled::Accepted).await;
    let copy = &world.copies().await[0];
    let reference = world.reference(copy);
    dovecot.deliver(&copy.address, &format!("X-Postroad-Ref: {reference}x\n\nforged\n"));
    dovecot.deliver(&copy.address, &format!("Subject: {reference}\n\nquoted\n"));
    let seed = in_dovecot(&dovecot, "g.test", Google);
    for by in [MINUTE, 2 * MINUTE] {
        world.advance(by);
        assert_eq!(world.look(&seed).await.found, 0);
    }
    assert_eq!(world.places().await, [Placement::Pending]);
}

#[tokio::test]
async fn a_copy_that_arrived_settles_a_row_whose_answer_was_lost() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let world = World::sent(&["r1", "r2"], vec![seed("g.test", Google)], &Settled::Unknown).await;
    assert_eq!(world.states().await, [DeliveryState::Unknown; 2]);
    let copy = &world.copies().await[0];
    dovecot.deliver(&copy.address, &world.message(copy, ""));
    world.advance(MINUTE);
    assert_eq!(world.look(&in_dovecot(&dovecot, "g.test", Google)).await.found, 1);
    assert_eq!(world.states().await, [DeliveryState::Accepted, DeliveryState::Unknown]);
    assert_eq!(world.places().await, [Placement::Inbox, Placement::Pending]);
}

#[tokio::test]
async fn a_mailbox_is_one_nodes_at_a_time() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let world = World::sent(&["r1"], vec![seed("g.test", Google)], &Settled::Accepted).await;
    let seed = in_dovecot(&dovecot, "g.test", Google);
    world.advance(MINUTE);
    let now = postroad_model::Clock::now(&*world.clock);
    let held = world.store.take_job("seed:g.test", world.node, now).await.unwrap();
    let other = world.store.register_node("other", "0", now).await.unwrap();
    assert_eq!(world.look_as(&seed, other).await, None);
    assert!(held.is_some());
    world.advance(2 * MINUTE);
    assert!(world.look_as(&seed, other).await.is_some(), "a lease that ran out is taken");
}

#[tokio::test]
async fn a_check_names_the_folders_and_what_is_missing() {
    let Some(dovecot) = dovecot::spawn() else { return };
    let checked = check(&in_dovecot(&dovecot, "g.test", Google)).await;
    assert!(checked.ok && checked.inbox.as_deref() == Some("INBOX"), "{checked:?}");
    assert_eq!(checked.junk, ["Junk"]);
    assert!(checked.said.iter().any(|s| s.contains("X-GM-EXT-1")), "{checked:?}");
}
