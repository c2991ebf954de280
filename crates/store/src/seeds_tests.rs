//! Seed copies from their plan to the last look, on both engines.
//!
//! The audience is written here by hand, so that these tests depend on no other part of the program.

use crate::backend::tx;
use crate::seeds::UNRELEASED;
use crate::test_stores::{sql, stores};
use crate::{
    Authentication, EventKind, JobLease, LeaseRequest, NewFeedback, NewSeedCopy, Recorded,
    SeedLook, ServeWhich, Store, Strength,
};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::feedback::Evidence;
use postroad_model::placement::{AuthResult, Placement, PlacementCounts};
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{
    CampaignId, DeliveryId, Epoch, LeaseToken, MailboxProvider, NodeId, PoolId, RelayId, Timestamp,
};
use postroad_testkit::builders;
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_796_000_000_000);
const ONE: CampaignId = CampaignId(1);
const LATE: i64 = i64::MAX / 2;

/// A running campaign with An of the audience, and the lanes of two relays.
const SCENE: [&str; 5] = [
    "INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, \
     window_open_at, version, updated_at) \
     VALUES (1, 'one', 'bulk', 1, 202611, 7, 0, 'running', '{}', '{}', 0, 1, 0)",
    "INSERT INTO lanes (relay_id, scope, node_id, epoch, lease_until, busy_at, pause_count) \
     VALUES (9, 'nine', 1, 1, 1796000060000, 0, 0), (10, 'ten', 1, 1, 1796000060000, 0, 0)",
    "INSERT INTO contacts (id, address, address_hash, provider, created_at, name, attributes, updated_at) \
     VALUES (5, 'an@example.vn', 55, 1, 0, 'An', '{\"city\":\"Hue\",\"plan\":\"gold\"}', 0)",
    "INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, provider, \
     pool_id, rank, state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, \
     lane_relay, epoch, updated_at) \
     VALUES (202611, 1, 0, 0, 5, 'an@example.vn', 55, 1, 1, 3, 3, 0, 0, 0, 1, 0, 0, 0, 0, 9, 1, 0)",
    "INSERT INTO counters (campaign_id, role, relay_id, state, n) VALUES (1, 0, 9, 3, 1)",
];

async fn set(store: &Store) {
    for statement in SCENE {
        sql(store, statement).await;
    }
}

async fn on_both<F: AsyncFn(Store)>(check: F) {
    for (store, _guard) in stores().await {
        set(&store).await;
        check(store).await;
    }
}

async fn job(store: &Store, name: &str) -> JobLease {
    store.take_job(name, NodeId(1), NOW).await.unwrap().unwrap()
}

fn copy(address: &str, relay: i64, rank: i64) -> NewSeedCopy {
    let attributes = serde_json::json!({"plan": "seed"});
    NewSeedCopy {
        mailbox: "gmail-1".into(),
        address: builders::address(address),
        provider: MailboxProvider::Google,
        relay: RelayId(relay),
        rank,
        name: None,
        attributes: attributes.as_object().unwrap().clone(),
    }
}

async fn plan(store: &Store) -> u64 {
    let copies = [copy("s+a@gmail.com", 9, 5), copy("s+b@gmail.com", 10, LATE)];
    let gaps = [(RelayId(9), MailboxProvider::Yahoo)];
    store.plan_seeds(ONE, (&copies, &gaps), NOW).await.unwrap()
}

/// What a relay's lane gets now.
async fn leased(store: &Store, relay: i64) -> Vec<postroad_model::delivery::Leased> {
    let request = LeaseRequest {
        node: NodeId(1),
        relay: RelayId(relay),
        epoch: Epoch(1),
        scope: "nine".into(),
        pools: vec![PoolId(1)],
        token: LeaseToken(77),
        want: 10,
        which: ServeWhich::All,
        turn: 0,
    };
    store.lease(&request, NOW).await.unwrap().rows
}

async fn places(store: &Store) -> Vec<Placement> {
    store.seed_copies(ONE).await.unwrap().iter().map(|c| c.placement).collect()
}

fn look(copy: &crate::SeedCopy, placement: Placement) -> SeedLook {
    SeedLook {
        delivery: copy.delivery,
        placement,
        folder: None,
        tab: None,
        accepted_at: copy.accepted_at,
        arrived_at: None,
        authentication: Authentication::default(),
        next_look_at: Some(NOW.plus_ms(15_000)),
        trouble: None,
    }
}

#[tokio::test]
async fn seeds_are_planned_once_beside_the_audience() {
    on_both(async |store| {
        assert_eq!(plan(&store).await, 2);
        assert_eq!(plan(&store).await, 0, "a freeze that goes on plans them only once");
        assert_eq!(places(&store).await, [Placement::NotSent; 2]);
        let counts = store.counters(ONE).await.unwrap();
        let seeds: Vec<_> = counts.iter().filter(|c| c.role == Role::Seed).collect();
        assert_eq!((seeds.len(), seeds[0].n), (1, 2), "they have a sum of their own");
        let rows = store.count_rows(ONE, Role::Seed).await.unwrap();
        assert_eq!(rows, [(DeliveryState::Scheduled, 2)]);
        let gaps = store.seed_gaps(ONE).await.unwrap();
        assert_eq!(gaps, [(RelayId(9), MailboxProvider::Yahoo)]);
    })
    .await;
}

#[tokio::test]
async fn a_copy_goes_when_its_turn_comes_and_only_through_its_relay() {
    on_both(async |store| {
        plan(&store).await;
        assert!(leased(&store, 9).await.is_empty() && leased(&store, 10).await.is_empty());
        assert_eq!(store.release_seeds(ONE, 100, NOW).await.unwrap(), 1);
        assert_eq!(store.release_seeds(ONE, 100, NOW).await.unwrap(), 0);
        assert!(leased(&store, 10).await.is_empty());
        let rows = leased(&store, 9).await;
        assert_eq!((rows.len(), rows[0].role), (1, Role::Seed));
        assert_eq!(rows[0].address.to_string(), "s+a@gmail.com");
        let fields = serde_json::json!({"city": "Hue", "plan": "seed"});
        assert_eq!(serde_json::Value::from(rows[0].fields.attributes.clone()), fields);
        assert_eq!(rows[0].fields.name.as_deref(), Some("An"));
        assert_eq!(store.release_seeds(ONE, i64::MAX, NOW).await.unwrap(), 1);
        assert_eq!(leased(&store, 10).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn only_what_a_relay_took_is_pending_and_a_look_tells_the_rest() {
    on_both(async |store| {
        plan(&store).await;
        store.release_seeds(ONE, 100, NOW).await.unwrap();
        sql(&store, "UPDATE deliveries SET state = 3, updated_at = 1796000000000 WHERE role = 1 AND slot = 9")
            .await;
        assert_eq!(places(&store).await, [Placement::Pending, Placement::NotSent]);
        let open = store.open_seed_copies("gmail-1", (Duration::ZERO, UNRELEASED), 50).await.unwrap();
        assert_eq!((open.len(), open[0].accepted_at), (1, Some(NOW)));
        let job = job(&store, "seed:gmail-1").await;
        let record = async |look: SeedLook, trouble| {
            store.record_seed_looks(&job, "gmail-1", &[look], trouble, NOW).await.unwrap();
        };
        record(look(&open[0], Placement::Unknown), Some("login refused")).await;
        assert_eq!(places(&store).await, [Placement::Unknown, Placement::NotSent]);
        let found = SeedLook {
            folder: Some("[Gmail]/Spam".into()),
            arrived_at: Some(NOW.plus_ms(3_000)),
            authentication: Authentication { dkim: Some(AuthResult::Pass), ..Authentication::default() },
            next_look_at: None,
            ..look(&open[0], Placement::Spam)
        };
        record(found, None).await;
        let copies = store.seed_copies(ONE).await.unwrap();
        assert_eq!((copies[0].placement, copies[0].arrived_after_ms), (Placement::Spam, Some(3_000)));
        assert_eq!(copies[0].authentication.dkim, Some(AuthResult::Pass));
        assert!(copies[0].closed && copies[0].looks == 2);
        assert!(store.open_seed_copies("gmail-1", (Duration::ZERO, UNRELEASED), 50).await.unwrap().is_empty());
        let mut spam = PlacementCounts::default();
        spam.add(Placement::Spam, 1);
        let mut waits = PlacementCounts::default();
        waits.add(Placement::NotSent, 1);
        let of = store.placement_cells_of(&[ONE, CampaignId(2)]).await.unwrap();
        let cells: Vec<_> = of[&ONE].iter().map(|((r, p), counts)| (r.0, *p, *counts)).collect();
        let google = MailboxProvider::Google;
        assert_eq!(cells, [(9, google, spam), (10, google, waits)]);
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_remembers_when_it_was_looked_into_and_what_failed() {
    on_both(async |store| {
        let names = [("gmail-1".to_owned(), MailboxProvider::Google)];
        store.register_seed_mailboxes(&names, NOW).await.unwrap();
        store.register_seed_mailboxes(&names, NOW.plus_ms(9)).await.unwrap();
        let state = async || store.seed_mailboxes().await.unwrap().remove(0);
        assert_eq!((state().await.since, state().await.looked_at), (NOW, None));
        let job = job(&store, "seed:gmail-1").await;
        let looked = async |trouble: Option<&str>| {
            store.record_seed_looks(&job, "gmail-1", &[], trouble, NOW).await.unwrap();
        };
        looked(None).await;
        assert_eq!((state().await.looked_at, state().await.failed_at), (Some(NOW), None));
        looked(Some("login refused")).await;
        let row = state().await;
        assert_eq!((row.looked_at, row.failed_at), (Some(NOW), Some(NOW)));
        assert_eq!(row.trouble.as_deref(), Some("login refused"));
    })
    .await;
}

/// The state of the row that goes through a relay, settled at a time.
async fn settle(store: &Store, relay: i64, state: i64, at: Timestamp) {
    write_state(store, relay, state, at).await.unwrap();
}

async fn write_state(store: &Store, relay: i64, state: i64, at: Timestamp) -> crate::Result<()> {
    tx!(store, |c, _e| {
        let text = "UPDATE deliveries SET state = $2, updated_at = $3 WHERE role = 1 AND slot = $1";
        let update = sqlx::query(text).bind(relay).bind(state).bind(at.0);
        update.execute(&mut *c).await.unwrap();
        Ok(())
    })
}

#[tokio::test]
async fn a_copy_whose_answer_was_lost_is_awaited_from_when_that_was() {
    on_both(async |store| {
        plan(&store).await;
        store.release_seeds(ONE, 100, NOW).await.unwrap();
        let lost = NOW.plus_ms(6 * 3_600_000);
        settle(&store, 9, 5, lost).await;
        let copy = store.seed_copies(ONE).await.unwrap().remove(0);
        assert_eq!((copy.state, copy.accepted_at), (DeliveryState::Unknown, Some(lost)));
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_a_quota_sent_back_goes_through_its_relay_again_and_is_awaited_anew() {
    on_both(async |store| {
        plan(&store).await;
        store.release_seeds(ONE, i64::MAX, NOW).await.unwrap();
        settle(&store, 9, 3, NOW).await;
        settle(&store, 10, 3, NOW).await;
        let lost = store.seed_copies(ONE).await.unwrap().remove(0);
        let job = job(&store, "seed:gmail-1").await;
        let looked = SeedLook { next_look_at: None, ..look(&lost, Placement::Missing) };
        store.record_seed_looks(&job, "gmail-1", &[looked], None, NOW).await.unwrap();
        notice(&store, lost.delivery).await;
        let late = look(&lost, Placement::Pending);
        store.record_seed_looks(&job, "gmail-1", &[late], None, NOW).await.unwrap();
        let copy = store.seed_copies(ONE).await.unwrap().remove(0);
        assert_eq!((copy.state, copy.placement), (DeliveryState::Scheduled, Placement::NotSent));
        assert_eq!((copy.accepted_at, copy.looks, copy.closed), (None, 0, false));
        assert!(leased(&store, 10).await.is_empty(), "the other relay of the pool");
        let rows = leased(&store, 9).await;
        assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [lost.delivery]);
        let day = NOW.plus_ms(86_400_000);
        settle(&store, 9, 3, day).await;
        let open = store.open_seed_copies("gmail-1", (Duration::ZERO, day), 50).await.unwrap();
        let again = open.iter().find(|c| c.delivery == lost.delivery).unwrap();
        assert_eq!((again.placement, again.accepted_at), (Placement::Pending, Some(day)));
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_was_found_stays_found_whatever_its_relay_says_later() {
    on_both(async |store| {
        plan(&store).await;
        store.release_seeds(ONE, i64::MAX, NOW).await.unwrap();
        settle(&store, 9, 3, NOW).await;
        let seen = store.seed_copies(ONE).await.unwrap().remove(0);
        let job = job(&store, "seed:gmail-1").await;
        let looked = SeedLook { next_look_at: None, ..look(&seen, Placement::Inbox) };
        store.record_seed_looks(&job, "gmail-1", &[looked], None, NOW).await.unwrap();
        notice(&store, seen.delivery).await;
        let copy = store.seed_copies(ONE).await.unwrap().remove(0);
        assert_eq!((copy.placement, copy.closed), (Placement::Inbox, true));
    })
    .await;
}

/// The relay of a row says that its quota is used up.
async fn notice(store: &Store, id: DeliveryId) {
    let new = NewFeedback {
        key: "quota".into(),
        at: NOW,
        kind: EventKind::Bounce,
        row: store.sent_row(id).await.unwrap().unwrap(),
        evidence: Evidence::Quota,
        verdict: Some((BounceKind::Soft, Reason::Quota)),
        strength: Strength::Strong,
        said: (None, None, None),
        data: "{}".into(),
        suppress: None,
        full: None,
    };
    let done = store.record_feedback(&new, NOW).await.unwrap();
    let moved = Some(DeliveryState::Scheduled);
    assert_eq!(done, Recorded::Fresh { moved, suppressed: None });
}

#[tokio::test]
async fn what_is_due_comes_first_whatever_is_open_before_it() {
    on_both(async |store| {
        plan(&store).await;
        store.release_seeds(ONE, i64::MAX, NOW).await.unwrap();
        settle(&store, 9, 3, NOW.plus_ms(60_000)).await;
        settle(&store, 10, 3, NOW).await;
        let first = Duration::from_secs(15);
        let open = async |ms: i64| {
            let due = (first, NOW.plus_ms(ms));
            let open = store.open_seed_copies("gmail-1", due, 1).await.unwrap();
            open.iter().map(|c| c.relay.0).collect::<Vec<_>>()
        };
        assert!(open(14_999).await.is_empty());
        assert_eq!(open(15_000).await, [10]);
        assert_eq!(open(900_000).await, [10], "the one that has waited longest");
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_that_refused_is_left_alone_also_when_a_new_copy_was_sent_to_it() {
    on_both(async |store| {
        let names = [("gmail-1".to_owned(), MailboxProvider::Google)];
        store.register_seed_mailboxes(&names, NOW).await.unwrap();
        plan(&store).await;
        let job = job(&store, "seed:gmail-1").await;
        store.record_seed_looks(&job, "gmail-1", &[], Some("refused"), NOW).await.unwrap();
        store.release_seeds(ONE, 100, NOW).await.unwrap();
        settle(&store, 9, 3, NOW).await;
        let due = async |ms: i64| {
            let (first, again) = (Duration::from_secs(15), Duration::from_secs(900));
            let due = store.due_seed_mailboxes(first, again, NOW.plus_ms(ms)).await.unwrap();
            due.into_iter().collect::<Vec<_>>()
        };
        assert!(due(899_999).await.is_empty());
        assert_eq!(due(900_000).await, ["gmail-1"]);
        store.record_seed_looks(&job, "gmail-1", &[], None, NOW).await.unwrap();
        assert_eq!(due(15_000).await, ["gmail-1"], "a login that works again is used at once");
    })
    .await;
}

#[tokio::test]
async fn copies_that_nobody_can_find_are_closed() {
    on_both(async |store| {
        let names = [("gmail-1".to_owned(), MailboxProvider::Google)];
        store.register_seed_mailboxes(&names, NOW).await.unwrap();
        plan(&store).await;
        store.release_seeds(ONE, 100, NOW).await.unwrap();
        settle(&store, 9, 3, NOW).await;
        assert_eq!(store.close_stray_seed_copies(NOW).await.unwrap(), 0);
        settle(&store, 10, 8, NOW).await;
        assert_eq!(
            store.close_stray_seed_copies(NOW).await.unwrap(),
            1,
            "never released, cancelled"
        );
        assert_eq!(places(&store).await, [Placement::Pending, Placement::NotSent]);
        let later = NOW.plus_ms(15 * 60_000);
        assert_eq!(store.close_stray_seed_copies(later).await.unwrap(), 1, "its mailbox is gone");
        assert_eq!(places(&store).await, [Placement::Unknown, Placement::NotSent]);
        let copies = store.seed_copies(ONE).await.unwrap();
        assert!(copies.iter().all(|c| c.closed), "{copies:?}");
        assert!(copies[0].trouble.as_ref().unwrap().contains("left the configuration"));
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_stays_as_long_as_one_process_names_it_whatever_others_have() {
    on_both(async |store| {
        let name = async |name: &str, minutes: i64| {
            let (names, at) =
                ([(name.to_owned(), MailboxProvider::Google)], NOW.plus_ms(minutes * 60_000));
            store.register_seed_mailboxes(&names, at).await.unwrap();
            store.close_stray_seed_copies(at).await.unwrap()
        };
        name("gmail-1", 0).await;
        plan(&store).await;
        store.release_seeds(ONE, 100, NOW).await.unwrap();
        settle(&store, 9, 3, NOW).await;
        assert_eq!(name("yesterdays", 1).await, 0);
        name("gmail-1", 14).await;
        name("gmail-1", 2).await;
        assert_eq!(
            name("yesterdays", 28).await,
            0,
            "named 14 minutes ago, whoever's clock is late"
        );
        assert_eq!(places(&store).await, [Placement::Pending, Placement::NotSent]);
        let since = store.seed_mailboxes().await.unwrap().remove(0).since;
        assert_eq!(since, NOW, "naming it again begins nothing anew");
        assert_eq!(name("yesterdays", 29).await, 1);
        let left = store.seed_mailboxes().await.unwrap();
        assert_eq!(left.iter().map(|m| &m.name[..]).collect::<Vec<_>>(), ["yesterdays"]);
    })
    .await;
}

#[tokio::test]
async fn seeds_see_the_data_of_different_people() {
    on_both(async |store| {
        for n in 0..8_i64 {
            audience_of(&store, 100 + n, (n - 4) << 61).await.unwrap();
        }
        let copies: Vec<_> = (0..12).map(|n| copy(&format!("s+{n}@gmail.com"), 9, 5)).collect();
        store.plan_seeds(ONE, (&copies, &[]), NOW).await.unwrap();
        store.release_seeds(ONE, 100, NOW).await.unwrap();
        let people: std::collections::BTreeSet<_> =
            leased(&store, 9).await.iter().map(|row| row.fields.name.clone()).collect();
        assert!(people.len() > 3, "{people:?}");
    })
    .await;
}

/// One more of the audience.
async fn audience_of(store: &Store, id: i64, hash: i64) -> crate::Result<()> {
    const CONTACT: &str = "INSERT INTO contacts (id, address, address_hash, provider, created_at, name, attributes, \
        updated_at) VALUES ($1, 'x' || $3, $2, 1, 0, $3, '{}', 0)";
    const ROW: &str = "INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, \
        provider, pool_id, rank, state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, \
        lane_relay, epoch, updated_at) \
        VALUES (202611, 1, 0, 0, $1, 'x@example.vn', $2, 1, 1, 3, 3, 0, 0, 0, 1, 0, 0, 0, 0, 9, 1, 0)";
    tx!(store, |c, _e| {
        let contact = sqlx::query(CONTACT).bind(id).bind(hash).bind(format!("No {id}"));
        contact.execute(&mut *c).await.unwrap();
        sqlx::query(ROW).bind(id).bind(hash).execute(&mut *c).await.unwrap();
        Ok(())
    })
}
