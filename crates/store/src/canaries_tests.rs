//! A canary's rank limit, its one verdict among many nodes, and brakes by placement, on both engines.
//!
//! The audience is written here by hand, so that these tests depend on no other part of the program.

use crate::test_stores::{sql, stores};
use crate::{LeaseRequest, ServeWhich, SpamBrake, SpamNote, Store};
use postroad_model::campaign::{CampaignAct, CampaignState};
use postroad_model::{
    CampaignId, Epoch, LeaseToken, MailboxProvider, NodeId, PoolId, RelayId, Timestamp,
};
use postroad_testkit::builders;
use serde_json::json;

const NOW: Timestamp = Timestamp(1_796_000_000_000);
const ONE: CampaignId = CampaignId(1);
const NINE: RelayId = RelayId(9);
const GOOGLE: MailboxProvider = MailboxProvider::Google;

/// A scheduled campaign with ten people of ranks 10 to 100, and the lanes of two relays.
const SCENE: [&str; 5] = [
    "INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, \
     window_open_at, version, updated_at) VALUES (1, 'one', 'bulk', 1, 202611, 7, 0, 'scheduled', \
     '{\"state\":\"scheduled\",\"at\":0}', '{settings}', 0, 1, 0)",
    "INSERT INTO lanes (relay_id, scope, node_id, epoch, lease_until, busy_at, pause_count) \
     VALUES (9, 'nine', 1, 1, 1797000060000, 0, 0), (10, 'ten', 1, 1, 1797000060000, 0, 0)",
    "INSERT INTO queues (campaign_id, pool_id, provider) VALUES (1, 1, 1)",
    "INSERT INTO lists (id, name, created_at) VALUES (1, 'all', 0)",
    "INSERT INTO campaign_lists (campaign_id, list_id) VALUES (1, 1)",
];

async fn set(store: &Store) {
    let written = serde_json::to_string(&builders::campaign_settings()).unwrap();
    for statement in SCENE {
        sql(store, &statement.replace("{settings}", &written.replace('\'', "''"))).await;
    }
    for n in 1..=10 {
        sql(store, &format!(
            "INSERT INTO contacts (id, address, address_hash, provider, created_at, name, attributes, updated_at) \
             VALUES ({n}, 'p{n}@gmail.com', {n}, 1, 0, NULL, '{{}}', 0)"
        )).await;
        sql(store, &format!(
            "INSERT INTO subscriptions (list_id, contact_id, state, since) VALUES (1, {n}, 1, 0)"
        )).await;
        sql(store, &format!(
            "INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, provider, \
             pool_id, rank, state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, \
             lane_relay, epoch, updated_at) \
             VALUES (202611, 1, 0, 0, {n}, 'p{n}@gmail.com', {n}, 1, 1, {n}0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"
        )).await;
    }
    sql(
        store,
        "INSERT INTO counters (campaign_id, role, relay_id, state, n) VALUES (1, 0, 0, 0, 10)",
    )
    .await;
}

async fn on_both<F: AsyncFn(Store)>(check: F) {
    for (store, _guard) in stores().await {
        set(&store).await;
        check(store).await;
    }
}

/// How many rows a relay's lane gets now.
async fn leased(store: &Store, relay: i64, want: i64, now: Timestamp) -> usize {
    let request = LeaseRequest {
        node: NodeId(1),
        relay: RelayId(relay),
        epoch: Epoch(1),
        scope: "nine".into(),
        pools: vec![PoolId(1)],
        token: LeaseToken(77),
        want,
        which: ServeWhich::All,
        turn: 0,
    };
    store.lease(&request, now).await.unwrap().rows.len()
}

async fn begun(store: &Store) {
    let read = store.campaign_by_id(ONE).await.unwrap();
    let data = json!({ "act": "began" });
    assert!(store.start_campaign(&read, Some((30, &data)), NOW).await.unwrap());
    assert!(!store.start_campaign(&read, Some((90, &data)), NOW).await.unwrap(), "it began");
}

#[tokio::test]
async fn a_campaign_that_was_scheduled_anew_since_it_was_read_is_not_started_as_it_was() {
    on_both(async |store| {
        let read = store.campaign_by_id(ONE).await.unwrap();
        let later = NOW.plus_ms(1);
        store.apply_campaign_act(ONE, &CampaignAct::Schedule { at: later }, NOW).await.unwrap();
        assert!(!store.start_campaign(&read, None, NOW).await.unwrap(), "without its canary");
        let row = store.campaign_by_id(ONE).await.unwrap();
        assert_eq!(row.campaign.state, CampaignState::Scheduled { at: later });
        assert_eq!(store.canary(ONE).await.unwrap().notes.len(), 0);
        assert_eq!(leased(&store, 9, 100, NOW).await, 0);
        assert!(store.start_campaign(&row, Some((30, &json!({}))), later).await.unwrap());
        assert_eq!(leased(&store, 9, 100, later).await, 3);
        assert!(store.start_campaign(&row, None, later).await.is_ok_and(|started| !started));
    })
    .await;
}

#[tokio::test]
async fn nothing_beyond_the_share_is_leased_before_the_verdict() {
    on_both(async |store| {
        begun(&store).await;
        assert_eq!(
            (
                store.canary_waits(ONE, 30).await.unwrap(),
                store.canary_open(ONE, 30).await.unwrap()
            ),
            (true, 3)
        );
        assert_eq!(leased(&store, 9, 2, NOW).await, 2);
        assert_eq!(
            (
                store.canary_waits(ONE, 30).await.unwrap(),
                store.canary_open(ONE, 30).await.unwrap()
            ),
            (true, 3)
        );
        assert_eq!(leased(&store, 9, 100, NOW).await, 1);
        assert_eq!(leased(&store, 9, 100, NOW).await, 0);
        assert_eq!(store.canary_untried(ONE, 30).await.unwrap(), 0);
        assert!(store.canary_waits(ONE, 30).await.unwrap(), "lanes hold them");
        sql(&store, "UPDATE counters SET n = 0 WHERE state IN (1, 2)").await;
        assert!(!store.canary_waits(ONE, 30).await.unwrap(), "all are done");
        assert!(store.canary_waits(ONE, 40).await.unwrap());
        sql(&store, "UPDATE deliveries SET state = 0, not_before = 5 WHERE id = (SELECT min(id) FROM deliveries)").await;
        assert!(store.canary_waits(ONE, 30).await.unwrap(), "one was deferred");
        sql(&store, "UPDATE deliveries SET pinned_relay = 9 WHERE not_before = 5").await;
        assert!(store.canary_waits(ONE, 30).await.unwrap(), "one is greylisted");
        assert!(store.end_canary(ONE, &json!({ "act": "good" }), NOW).await.unwrap());
        assert!(!store.end_canary(ONE, &json!({ "act": "good" }), NOW).await.unwrap(), "it ended");
        assert_eq!(leased(&store, 9, 100, NOW).await, 8, "the rest and the greylisted one");
        let row = store.canary(ONE).await.unwrap();
        assert_eq!((row.rank_limit, row.notes.len()), (None, 2));
        assert_eq!(row.notes[1], (NOW, r#"{"act":"good"}"#.to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_verdict_holds_only_the_row_that_it_judged() {
    on_both(async |store| {
        begun(&store).await;
        let judged = store.campaign_by_id(ONE).await.unwrap();
        let data = json!({ "act": "held" });
        store.apply_campaign_act(ONE, &CampaignAct::Pause, NOW).await.unwrap();
        store.apply_campaign_act(ONE, &CampaignAct::Resume, NOW).await.unwrap();
        assert!(
            !store.hold_by_canary(&judged, "spam", &data, NOW).await.unwrap(),
            "it was resumed"
        );
        let judged = store.campaign_by_id(ONE).await.unwrap();
        assert!(store.hold_by_canary(&judged, "spam", &data, NOW).await.unwrap());
        assert!(
            !store.hold_by_canary(&judged, "spam", &data, NOW).await.unwrap(),
            "another node did"
        );
        assert_eq!(store.campaign_by_id(ONE).await.unwrap().campaign.state.name(), "held");
        assert_eq!(store.canary(ONE).await.unwrap().notes.len(), 2);
        assert_eq!(leased(&store, 9, 100, NOW).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_relay_braked_for_a_provider_leaves_its_share_to_the_others() {
    on_both(async |store| {
        store.apply_campaign_act(ONE, &CampaignAct::Start, NOW).await.unwrap();
        let until = NOW.plus_ms(60_000);
        let brake =
            |until| SpamBrake { relay: NINE, provider: GOOGLE, until, reason: "spam".into() };
        assert!(store.brake_by_placement(ONE, &brake(until), Some(until), NOW).await.unwrap());
        let later = brake(until.plus_ms(1));
        assert!(!store.brake_by_placement(ONE, &later, None, NOW).await.unwrap(), "one stands");
        assert_eq!(leased(&store, 9, 4, NOW).await, 0);
        assert_eq!(leased(&store, 10, 4, NOW).await, 4, "the other relay takes them");
        let notes = store.placement_brakes(NOW).await.unwrap();
        assert_eq!(notes.len(), 1);
        assert_eq!(
            (notes[0].campaign, notes[0].at, notes[0].note.relay, notes[0].note.slowed_until),
            (ONE, NOW, NINE, Some(until))
        );
        // The stop ends, and after its gap comes another.
        let pair = (NINE, GOOGLE);
        let next = until.plus_ms(30_000);
        assert!(!store.brake_again(pair, next, NOW, NOW).await.unwrap(), "the first stands");
        assert_eq!(leased(&store, 9, 2, until).await, 2);
        assert!(store.brake_again(pair, next, until, until).await.unwrap());
        assert_eq!(leased(&store, 9, 2, until).await, 0);
        // The operator's word ends it.
        assert_eq!(store.campaigns_seeded_since(NOW).await.unwrap(), [], "it has no seeds");
        assert_eq!(store.clear_brakes(NINE).await.unwrap(), 1);
        assert!(!store.brake_again(pair, next.plus_ms(9), next, next).await.unwrap());
        let note =
            SpamNote { slowed_until: Some(next), judged_at: Some(NOW), ..notes[0].note.clone() };
        assert!(!store.slow_brake(ONE, &note, until, until).await.unwrap(), "none stands");
        assert_eq!(leased(&store, 9, 2, until).await, 2);
        // A stop becomes a rest, once.
        let stop = brake(next.plus_ms(60_000));
        assert!(store.brake_by_placement(ONE, &stop, None, until).await.unwrap());
        assert!(store.slow_brake(ONE, &note, next, until).await.unwrap());
        assert!(!store.slow_brake(ONE, &note, next, until).await.unwrap());
        assert_eq!(store.brakes(until).await.unwrap()[0].until, next);
        let notes = store.placement_brakes(NOW).await.unwrap();
        assert_eq!((notes.len(), &notes[2].note), (3, &note));
    })
    .await;
}
