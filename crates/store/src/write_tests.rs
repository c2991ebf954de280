//! W2 and W3 of batches in which not every row is what its connection believes, on both engines.
//!
//! Rows are written here by hand, so that these tests depend on no other part of the program.

use crate::backend::tx;
use crate::{
    Claim, Durability, Error, Intent, Settled, Settlement, Store, StoreSettings, Was, WriteAnswer,
    WriteBatch,
};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, DeliveryId, Epoch, LeaseToken, RelayId, Reply, Timestamp};
use postroad_testkit::{builders, postgres, sqlite};
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp(1_796_000_000_000);
const BUCKET: i64 = 202_611;
const TOKEN: i64 = 77;

/// Three leased rows of a running campaign, and their lane.
const ROWS: [&str; 4] = [
    "INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, \
     window_open_at, version, updated_at) \
     VALUES (1, 'one', 'regular', 1, 202611, 7, 0, 'running', '{}', '{}', 0, 1, 0)",
    "INSERT INTO lanes (relay_id, scope, node_id, epoch, lease_until, busy_at, pause_count) \
     VALUES (9, 'nine', 1, 1, 1796000060000, 0, 0)",
    "INSERT INTO deliveries (bucket, id, campaign_id, role, slot, contact_id, address, address_hash, provider, \
     pool_id, rank, state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, \
     lane_relay, epoch, updated_at) \
     SELECT 202611, n, 1, 0, 0, n, 'an@example.vn', n, 0, 1, n, 1, 0, 0, 0, 1, 0, 0, 1, 77, 9, 1, 0 \
     FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) AS numbers",
    "INSERT INTO counters (campaign_id, role, relay_id, state, n) VALUES (1, 0, 9, 1, 3)",
];

async fn fill(store: &Store) -> Result<(), Error> {
    tx!(store, |c, _e| {
        for statement in ROWS {
            sqlx::query(statement).execute(&mut *c).await.unwrap();
        }
        Ok(())
    })
}

async fn open(url: &str) -> Store {
    let keys = builders::token_keys();
    let settings =
        StoreSettings { url: url.to_owned(), keys, connections: 4, durability: Durability::Native };
    let store = Store::open(settings).await.unwrap();
    store.ensure_partition(BUCKET).await.unwrap();
    fill(&store).await.unwrap();
    store
}

fn claim(id: i64, token: i64) -> Claim {
    Claim {
        id: DeliveryId { bucket: BUCKET, id },
        campaign: CampaignId(1),
        role: Role::Audience,
        relay: RelayId(9),
        epoch: Epoch(1),
        token: LeaseToken(token),
        attempt: 1,
    }
}

fn intent(id: i64, token: i64) -> Intent {
    let mail_from = format!("b{id}@b.example.vn");
    Intent { claim: claim(id, token), content_hash: 5, mail_from, date: NOW }
}

fn settlement(id: i64, token: i64, settled: Settled, was: Was) -> Settlement {
    let reply = Some(Reply::new(250, "2.0.0 Ok"));
    Settlement {
        claim: claim(id, token),
        settled,
        reply,
        phase: None,
        rule: None,
        was,
        seen: crate::Seen::default(),
    }
}

fn ids(answer: &WriteAnswer) -> (Vec<i64>, Vec<(i64, DeliveryState)>) {
    let granted = answer.granted.iter().map(|d| d.id).collect();
    let moved = answer.moved.iter().map(|(d, state)| (d.id, *state)).collect();
    (granted, moved)
}

async fn counted(store: &Store) -> BTreeMap<i64, i64> {
    let counts = store.counters(CampaignId(1)).await.unwrap();
    counts.into_iter().filter(|c| c.n != 0).map(|c| (c.code, c.n)).collect()
}

async fn check(store: &Store) {
    use DeliveryState::{Accepted, Scheduled};
    let batch = |intents, settlements| WriteBatch { intents, settlements };
    // One of three has lost its lease meanwhile.
    let intents = vec![intent(2, TOKEN), intent(1, TOKEN), intent(3, 78)];
    let answer = store.write(&batch(intents, vec![]), NOW).await.unwrap();
    assert_eq!(ids(&answer), (vec![1, 2], vec![]));
    assert_eq!(counted(store).await, BTreeMap::from([(1, 1), (2, 2)]));
    // An outcome for each of the two, one of them with a token that never was; and the third's intent.
    let outcomes = vec![
        settlement(1, TOKEN, Settled::Accepted, Was::Sending),
        settlement(2, 78, Settled::Accepted, Was::Sending),
    ];
    let answer = store.write(&batch(vec![intent(3, TOKEN)], outcomes), NOW).await.unwrap();
    assert_eq!(ids(&answer), (vec![3], vec![(1, Accepted)]));
    assert_eq!(counted(store).await, BTreeMap::from([(2, 2), (3, 1)]));
    // A put-back goes with an acceptance.
    let back = Settled::PutBack { until: Timestamp(NOW.0 + 5), blocked: crate::Blocked::No };
    let outcomes = vec![
        settlement(2, TOKEN, back, Was::Sending),
        settlement(3, TOKEN, Settled::Accepted, Was::Sending),
    ];
    let answer = store.write(&batch(vec![], outcomes), NOW).await.unwrap();
    assert_eq!(ids(&answer), (vec![], vec![(2, Scheduled), (3, Accepted)]));
    assert_eq!(counted(store).await, BTreeMap::from([(0, 1), (3, 2)]));
}

#[tokio::test]
async fn what_one_row_of_a_batch_lost_holds_no_other_back_and_the_counters_stay_right() {
    let database = sqlite::database();
    check(&open(database.url()).await).await;
    if let Some(database) = postgres::database() {
        check(&open(database.url()).await).await;
    }
}
