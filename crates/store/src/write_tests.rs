//! W2 and W3 of batches in which not every row is what its connection believes, on both engines.
//!
//! Rows are written here by hand, so that these tests depend on no other part of the program.

use crate::backend::{Backend, tx};
use crate::test_stores;
use crate::writer::NotCalled;
use crate::{
    Claim, Durability, Error, Intent, Settled, Settlement, Store, StoreSettings, Was, WriteAnswer,
    WriteBatch,
};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::{CampaignId, DeliveryId, Epoch, LeaseToken, RelayId, Reply, Timestamp};
use postroad_testkit::rows::{BUCKET, LEASED_ROWS, TOKEN};
use postroad_testkit::{builders, postgres, sqlite};
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp(1_796_000_000_000);

async fn execute(store: &Store, statements: &[&'static str]) -> Result<(), Error> {
    tx!(store, |c, _e| {
        for statement in statements {
            sqlx::query(*statement).execute(&mut *c).await.unwrap();
        }
        Ok(())
    })
}

async fn open(url: &str) -> Store {
    let store = test_stores::open(url).await;
    execute(&store, &LEASED_ROWS).await.unwrap();
    store
}

async fn on_both<F: AsyncFn(&Store)>(check: F) {
    for (store, _guard) in test_stores::stores().await {
        execute(&store, &LEASED_ROWS).await.unwrap();
        check(&store).await;
    }
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
    on_both(check).await;
}

/// A row that the database refuses costs the others nothing, and its error is no riddle.
async fn check_refusal(store: &Store, poison: &'static str) {
    execute(store, &[poison]).await.unwrap();
    let write = async |ids: &[i64]| {
        let intents = ids.iter().map(|id| intent(*id, TOKEN)).collect();
        store.write(&WriteBatch { intents, settlements: Vec::new() }, NOW).await
    };
    for batch in [&[1, 2, 3][..], &[2]] {
        let error = write(batch).await.unwrap_err();
        let riddles = (error.may_have_happened(), error.is_conflict(), error.is_transient());
        assert_eq!(riddles, (false, false, false), "{error}");
    }
    for good in [1, 3] {
        assert_eq!(ids(&write(&[good]).await.unwrap()).0, [good]);
    }
    assert_eq!(counted(store).await, BTreeMap::from([(1, 1), (2, 2)]));
}

#[tokio::test]
async fn a_row_that_is_refused_is_an_answer_and_no_lost_commit() {
    let database = sqlite::database();
    let trigger = "CREATE TRIGGER poison BEFORE UPDATE ON deliveries WHEN NEW.id = 2 \
                   BEGIN SELECT RAISE(ABORT, 'poison'); END";
    check_refusal(&open(database.url()).await, trigger).await;
    if let Some(database) = postgres::database() {
        let constraint =
            "ALTER TABLE deliveries ADD CONSTRAINT poison CHECK (id <> 2 OR state <> 2)";
        check_refusal(&open(database.url()).await, constraint).await;
    }
}

/// The procedure writes what is even, and nothing of what is not.
async fn check_procedure(store: &Store) {
    let batch = |intents| WriteBatch { intents, settlements: Vec::new() };
    let even = batch(vec![intent(1, TOKEN), intent(2, TOKEN)]);
    let answer = store.write_counted(&even, NOW).await.unwrap();
    assert_eq!(ids(&answer).0, [1, 2]);
    let before = BTreeMap::from([(1, 1), (2, 2)]);
    assert_eq!(counted(store).await, before);
    let outcomes = [1, 2].map(|id| settlement(id, TOKEN, Settled::Accepted, Was::Sending));
    let intents = vec![intent(3, 78)];
    let uneven = WriteBatch { intents, settlements: outcomes.to_vec() };
    let told = store.write_counted(&uneven, NOW).await;
    assert!(matches!(told, Err(NotCalled::Uneven)), "{told:?}");
    assert_eq!(counted(store).await, before, "the outcomes went with the intent");
    let outcomes = WriteBatch { intents: vec![intent(3, TOKEN)], ..uneven };
    let answer = store.write_counted(&outcomes, NOW).await.unwrap();
    assert_eq!(ids(&answer).0, [3]);
    assert_eq!(counted(store).await, BTreeMap::from([(2, 1), (3, 2)]));
}

#[tokio::test]
async fn the_procedure_writes_what_is_even_and_nothing_of_what_is_not() {
    on_both(check_procedure).await;
}

/// The first call's answer was lost, and it was committed after the look-up.
async fn check_asked_again(store: &Store) {
    let batch =
        |id, token| WriteBatch { intents: vec![intent(id, token)], settlements: Vec::new() };
    for _ in 0..2 {
        assert_eq!(ids(&store.write(&batch(1, TOKEN), NOW).await.unwrap()).0, [1]);
        assert_eq!(counted(store).await, BTreeMap::from([(1, 2), (2, 1)]));
    }
    assert!(ids(&store.write(&batch(1, 78), NOW).await.unwrap()).0.is_empty());
}

#[tokio::test]
async fn an_intent_that_stands_already_is_granted_and_counted_once() {
    on_both(check_asked_again).await;
}

#[tokio::test]
async fn without_the_right_to_temporary_objects_batches_are_written_the_slower_way() {
    let Some(database) = postgres::database() else { return };
    let name = database.query("SELECT current_database()");
    drop(open(database.url()).await);
    let user = format!("plain_{name}");
    for right in [
        format!("CREATE ROLE {user} LOGIN"),
        format!("REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC"),
        format!("GRANT ALL ON SCHEMA public TO {user}"),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}"),
    ] {
        let _ = database.query(&right);
    }
    let url = database.url().replacen("postgres@", &format!("{user}@"), 1);
    let settings = StoreSettings {
        url,
        keys: builders::token_keys(),
        connections: 4,
        durability: Durability::Native,
    };
    let store = Store::open(settings).await.unwrap();
    for id in [1, 2] {
        let batch = WriteBatch { intents: vec![intent(id, TOKEN)], settlements: Vec::new() };
        assert_eq!(ids(&store.write(&batch, NOW).await.unwrap()).0, [id]);
        let Backend::Postgres { kept, .. } = &store.backend else { panic!("another engine") };
        assert!(kept.is_forbidden().await, "remembered, or each batch would make a session");
    }
    store.close().await;
    let _ = database.query(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
}

#[tokio::test]
async fn a_writing_connection_that_lost_its_transaction_is_replaced() {
    let database = sqlite::database();
    let store = open(database.url()).await;
    // As SQLite itself does where the disk fails; the driver goes on counting.
    let lost: Result<(), Error> = async {
        tx!(&store, |c, _e| {
            sqlx::query("ROLLBACK").execute(&mut *c).await.unwrap();
            Err(Error::JobLost { job: "this".into() })
        })
    }
    .await;
    assert!(matches!(lost, Err(Error::JobLost { .. })), "{lost:?}");
    execute(&store, &["UPDATE campaigns SET version = 2", "PRAGMA max_page_count = 1"])
        .await
        .unwrap();
    let mut intents = vec![intent(1, TOKEN)];
    intents[0].mail_from = "m".repeat(1_000_000);
    let full = store.write(&WriteBatch { intents, settlements: Vec::new() }, NOW).await;
    let full = full.unwrap_err();
    assert!(full.is_transient() && !full.may_have_happened(), "{full}");
    let batch = WriteBatch { intents: vec![intent(1, TOKEN)], settlements: Vec::new() };
    assert_eq!(ids(&store.write(&batch, NOW).await.unwrap()).0, [1]);
}
