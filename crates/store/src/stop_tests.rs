//! Suppress, unsubscribe, erase and undo against deliveries in every state, on both engines.
//!
//! Rows are written here by hand, so that these tests depend on no other part of the program.

use crate::backend::tx;
use crate::test_stores::stores;
use crate::{Commit, Error, ImportRow, ImportSlice, Store, Unsubscribe, UnsubscribeFrom};
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::{EmailAddress, ImportId, ListId, MailboxProvider, Timestamp};
use postroad_testkit::builders;
use postroad_testkit::rows::BUCKET;

const NOW: Timestamp = Timestamp(1_796_000_000_000);

type Row = (i64, i64, i64, i64, Option<String>, Option<String>);
type Counter = (i64, i64, i64, i64, i64);

/// Campaigns of the scene: 1 goes to both lists, 2 to the first, 3 to the first and is finished.
struct Scene {
    store: Store,
    lists: [ListId; 2],
    import: ImportId,
    _guard: Box<dyn std::any::Any>,
}

fn an() -> EmailAddress {
    builders::address("an@example.vn")
}

async fn scene(store: Store, guard: Box<dyn std::any::Any>) -> Scene {
    let first = store.create_list("first", None, NOW).await.unwrap();
    let second = store.create_list("second", None, NOW).await.unwrap();
    let mut import = ImportId(0);
    for list in [first, second] {
        let run = store.begin_import(list, "people.csv", None, NOW).await.unwrap();
        let row = ImportRow {
            hash: store.keys().address_hash(&an()),
            address: an(),
            provider: MailboxProvider::Other,
            name: Some("An".into()),
            attributes: "{}".into(),
        };
        let slice = ImportSlice::new(vec![row]).unwrap();
        store.import_slice(run, &slice, Commit::Keep, NOW).await.unwrap();
        import = run.id;
    }
    let scene = Scene { store, lists: [first, second], import, _guard: guard };
    scene.campaigns().await.unwrap();
    scene
}

async fn scenes() -> Vec<Scene> {
    let mut all = Vec::new();
    for (store, guard) in stores().await {
        all.push(scene(store, guard).await);
    }
    all
}

impl Scene {
    async fn campaigns(&self) -> Result<(), Error> {
        tx!(&self.store, |c, _e| {
            for (id, state) in [(1_i64, "running"), (2, "paused"), (3, "finished")] {
                sqlx::query(
                    "INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, \
                     settings, window_open_at, version, updated_at) \
                     VALUES ($1, CAST($1 AS TEXT), 'regular', 1, $2, 7, 0, $3, '{}', '{}', 0, 1, 0)",
                )
                .bind(id)
                .bind(BUCKET)
                .bind(state)
                .execute(&mut *c)
                .await
                .unwrap();
            }
            for (campaign, list) in
                [(1, self.lists[0]), (1, self.lists[1]), (2, self.lists[0]), (3, self.lists[0])]
            {
                sqlx::query("INSERT INTO campaign_lists (campaign_id, list_id) VALUES ($1, $2)")
                    .bind(campaign)
                    .bind(list.0)
                    .execute(&mut *c)
                    .await
                    .unwrap();
            }
            Ok(())
        })
    }

    /// A row of An's: campaign, role, slot, state. Its lane is 9 unless it is Scheduled.
    async fn row(&self, campaign: i64, role: i64, slot: i64, state: i64) {
        self.write_row(campaign, role, slot, state).await.unwrap();
    }

    async fn write_row(
        &self,
        campaign: i64,
        role: i64,
        slot: i64,
        state: i64,
    ) -> Result<(), Error> {
        let contact = self.store.contact(&an()).await.unwrap().unwrap().id.0;
        let hash = self.store.keys().address_hash(&an());
        let lane = if state == 0 { 0 } else { 9 };
        tx!(&self.store, |c, _e| {
            sqlx::query(
                "INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, \
                 provider, pool_id, rank, state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, \
                 copy_no, token, lane_relay, epoch, reply, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, 'an@example.vn', $6, 0, 1, 5, $7, 0, $4, 0, 1, 0, 0, 0, 77, $8, 1, \
                 'for an@example.vn', 0)",
            )
            .bind(BUCKET)
            .bind(campaign)
            .bind(role)
            .bind(slot)
            .bind(contact)
            .bind(hash)
            .bind(state)
            .bind(lane)
            .execute(&mut *c)
            .await
            .unwrap();
            sqlx::query("INSERT INTO counters (campaign_id, role, relay_id, state, n) VALUES ($1, $2, $3, $4, 1)")
                .bind(campaign)
                .bind(role)
                .bind(lane)
                .bind(state)
                .execute(&mut *c)
                .await
                .unwrap();
            Ok(())
        })
    }

    /// All rows: campaign, role, state, token, detail, address.
    async fn read_rows(&self) -> Result<Vec<Row>, Error> {
        tx!(&self.store, |c, _e| {
            let all = sqlx::query_as(
                "SELECT campaign_id, role, state, token, detail, address FROM deliveries \
                 ORDER BY campaign_id, role",
            );
            Ok(all.fetch_all(&mut *c).await.unwrap())
        })
    }

    async fn rows(&self) -> Vec<String> {
        let rows = self.read_rows().await;
        let word = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        rows.unwrap()
            .into_iter()
            .map(|(k, r, s, t, d, a)| format!("{k} {r} {s} {t} {} {}", word(d), word(a)))
            .collect()
    }

    /// Counters that are not zero: campaign, role, lane, state, n.
    async fn counters(&self) -> Result<Vec<Counter>, Error> {
        tx!(&self.store, |c, _e| {
            let all = sqlx::query_as(
                "SELECT campaign_id, role, relay_id, state, n FROM counters WHERE n <> 0 \
                 ORDER BY campaign_id, role, relay_id, state",
            );
            Ok(all.fetch_all(&mut *c).await.unwrap())
        })
    }

    async fn events(&self) -> Result<Vec<String>, Error> {
        tx!(&self.store, |c, _e| {
            let all = sqlx::query_scalar("SELECT kind FROM events ORDER BY id");
            Ok(all.fetch_all(&mut *c).await.unwrap())
        })
    }

    fn suppression(scope: SuppressionScope) -> NewSuppression {
        NewSuppression {
            address: an(),
            scope,
            reason: SuppressionReason::Manual,
            origin: "cli".into(),
            at: NOW,
        }
    }

    async fn leave(&self, lists: &[ListId]) -> crate::Unsubscribed {
        let wish = Unsubscribe {
            contact: self.store.contact(&an()).await.unwrap().unwrap().id,
            from: UnsubscribeFrom::Lists(lists.to_vec()),
            campaign: None,
            delivery: None,
            origin: "one-click".into(),
            at: NOW,
        };
        self.store.unsubscribe(&wish).await.unwrap()
    }
}

#[tokio::test]
async fn a_suppression_ends_waiting_rows_of_every_role_and_nothing_on_the_wire() {
    for scene in scenes().await {
        scene.row(1, 0, 0, 0).await;
        scene.row(2, 0, 0, 2).await;
        scene.row(2, 2, 4, 1).await;
        scene.row(3, 0, 0, 0).await;
        let done = scene.store.suppress(&Scene::suppression(SuppressionScope::All)).await.unwrap();
        assert_eq!((done.added, done.stopped), (1, 2));
        let expected = [
            "1 0 6 0 suppressed an@example.vn",
            "2 0 2 77 - an@example.vn",
            "2 2 6 0 suppressed an@example.vn",
            "3 0 0 77 - an@example.vn",
        ];
        assert_eq!(scene.rows().await, expected);
        let expected = [(1, 0, 0, 6, 1), (2, 0, 9, 2, 1), (2, 2, 9, 6, 1), (3, 0, 0, 0, 1)];
        assert_eq!(scene.counters().await.unwrap(), expected);
        let again = scene.store.suppress(&Scene::suppression(SuppressionScope::All)).await.unwrap();
        assert_eq!((again.added, again.stopped), (0, 0));
    }
}

#[tokio::test]
async fn a_row_stays_while_one_of_its_lists_may_still_mail_the_person() {
    for scene in scenes().await {
        scene.row(1, 0, 0, 1).await;
        scene.row(2, 0, 0, 1).await;
        let [first, second] = scene.lists;
        let on_list = SuppressionScope::List(first);
        assert_eq!(scene.store.suppress(&Scene::suppression(on_list)).await.unwrap().stopped, 1);
        let expected = ["1 0 1 77 - an@example.vn", "2 0 6 0 suppressed an@example.vn"];
        assert_eq!(scene.rows().await, expected);
        assert_eq!(scene.leave(&[second]).await.stopped, 1);
        assert_eq!(scene.rows().await[0], "1 0 6 0 unsubscribed an@example.vn");
        assert_eq!(scene.events().await.unwrap(), ["unsubscribe"]);
    }
}

#[tokio::test]
async fn who_leaves_one_list_gets_the_mail_of_the_other() {
    for scene in scenes().await {
        scene.row(1, 0, 0, 0).await;
        scene.row(2, 0, 0, 0).await;
        scene.row(2, 2, 4, 0).await;
        let done = scene.leave(&scene.lists[..1]).await;
        assert_eq!((done.lists, done.stopped), (1, 1));
        let expected = [
            "1 0 0 77 - an@example.vn",
            "2 0 6 0 unsubscribed an@example.vn",
            "2 2 0 77 - an@example.vn",
        ];
        assert_eq!(scene.rows().await, expected);
        assert_eq!(scene.leave(&scene.lists[..1]).await, crate::Unsubscribed::default());
        assert_eq!(scene.events().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_erasure_takes_the_address_from_past_mail_too() {
    for scene in scenes().await {
        scene.row(1, 0, 0, 0).await;
        scene.row(2, 0, 0, 2).await;
        scene.row(3, 0, 0, 3).await;
        let done = scene.store.erase_contact(&an(), "cli", NOW).await.unwrap();
        assert_eq!((done.contacts, done.stopped, done.deliveries), (1, 1, 2));
        let expected = ["1 0 6 0 erased -", "2 0 2 77 - an@example.vn", "3 0 3 77 - -"];
        assert_eq!(scene.rows().await, expected);
        let again = scene.store.erase_contact(&an(), "cli", NOW).await.unwrap();
        assert_eq!((again.contacts, again.stopped), (0, 0));
    }
}

#[tokio::test]
async fn undoing_an_import_unsubscribes_who_stands_in_an_audience() {
    for scene in scenes().await {
        scene.row(1, 0, 0, 3).await;
        scene.row(2, 0, 0, 0).await;
        let report = scene.store.undo_import(scene.import, NOW).await.unwrap();
        assert_eq!((report.unsubscribed, report.removed, report.stopped), (1, 0, 0));
        let contact = scene.store.contact(&an()).await.unwrap().unwrap();
        let states: Vec<i64> = contact.subscriptions.iter().map(|s| s.state.code()).collect();
        assert_eq!(states, [1, 2]);
        let report = scene.store.undo_import(ImportId(scene.import.0 - 1), NOW).await.unwrap();
        assert_eq!((report.unsubscribed, report.removed, report.stopped), (1, 0, 1));
        assert_eq!(scene.rows().await[1], "2 0 6 0 unsubscribed an@example.vn");
    }
}

#[tokio::test]
async fn a_list_is_deleted_only_when_nothing_needs_it() {
    for scene in scenes().await {
        let store = &scene.store;
        let kept = store.delete_list("first").await.unwrap();
        let in_use = crate::ListDeletion::InUse { members: 1, campaigns: 3, suppressions: 0 };
        assert_eq!(kept, in_use);
        store.create_list("third", Some("Third"), NOW).await.unwrap();
        assert!(matches!(store.create_list("third", None, NOW).await, Err(Error::Exists { .. })));
        assert!(matches!(store.rename_list("third", "first").await, Err(Error::Exists { .. })));
        store.rename_list("third", "fourth").await.unwrap();
        assert_eq!(store.list("fourth").await.unwrap().title.as_deref(), Some("Third"));
        assert_eq!(store.delete_list("fourth").await.unwrap(), crate::ListDeletion::Deleted);
        let error = store.list("fourth").await.unwrap_err().to_string();
        assert_eq!(error, "no list named \"fourth\"; there are: first, second");
    }
}
