//! Fetched images against rows in every state, and what is counted of them, on both engines.

use crate::feedback_tests::{NOW, Scene, scenes};
use crate::{OpenCounts, OpenRecorded, SentRow};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::open::OpenKind;
use postroad_model::{CampaignId, MailboxProvider};

const OPENS: [OpenKind; 3] = OpenKind::ALL;

impl Scene {
    async fn open(&self, row: &SentRow, kind: OpenKind) -> OpenRecorded {
        self.store.record_open(row, kind, NOW).await.unwrap()
    }

    /// Campaign 1's counts in the order of the kinds.
    async fn opens(&self) -> [i64; 3] {
        let all = self.store.opens_of(&[CampaignId(1), CampaignId(2)]).await.unwrap();
        assert!(!all.contains_key(&CampaignId(2)), "{all:?}");
        let counts: OpenCounts = all.get(&CampaignId(1)).cloned().unwrap_or_default();
        assert!(counts.keys().all(|(provider, _)| *provider == MailboxProvider::Google));
        OPENS.map(|kind| counts.get(&(MailboxProvider::Google, kind)).copied().unwrap_or(0))
    }
}

#[tokio::test]
async fn a_row_counts_once_under_the_surest_kind_whatever_the_order() {
    use OpenKind::{Human, Prefetch, Proxy};
    for scene in scenes().await {
        let row = scene.row(1, Role::Audience, DeliveryState::Accepted).await;
        for (kind, recorded, counts) in [
            (Proxy, OpenRecorded::Fresh, [0, 1, 0]),
            (Proxy, OpenRecorded::Nothing, [0, 1, 0]),
            (Prefetch, OpenRecorded::Fresh, [0, 1, 0]),
            (Human, OpenRecorded::Fresh, [0, 0, 1]),
            (Human, OpenRecorded::Nothing, [0, 0, 1]),
            (Proxy, OpenRecorded::Nothing, [0, 0, 1]),
        ] {
            assert_eq!(scene.open(&row, kind).await, recorded, "{kind}");
            assert_eq!(scene.opens().await, counts, "after {kind}");
        }
        assert_eq!(scene.state(&row).await, DeliveryState::Accepted);
        assert_eq!(scene.events(&row).await.unwrap(), ["opened", "prefetched", "opened"]);
        let accepted = scene.store.accepted_by_provider(CampaignId(1)).await.unwrap();
        assert_eq!(accepted.into_iter().collect::<Vec<_>>(), [(MailboxProvider::Google, 1)]);
    }
}

#[tokio::test]
async fn an_open_settles_an_unknown_row_and_a_filters_fetch_does_not() {
    for scene in scenes().await {
        let row = scene.row(1, Role::Audience, DeliveryState::Unknown).await;
        assert_eq!(scene.open(&row, OpenKind::Prefetch).await, OpenRecorded::Nothing);
        assert_eq!(scene.state(&row).await, DeliveryState::Unknown);
        assert_eq!(scene.open(&row, OpenKind::Proxy).await, OpenRecorded::Fresh);
        assert_eq!(scene.state(&row).await, DeliveryState::Accepted);
        assert_eq!(scene.counted(1).await, [(DeliveryState::Accepted.code(), 1)]);
        assert_eq!(scene.opens().await, [0, 1, 0]);
    }
}

#[tokio::test]
async fn what_was_not_taken_is_a_seed_or_belongs_to_an_erased_person_counts_nothing() {
    for scene in scenes().await {
        let erased = scene.row(1, Role::Audience, DeliveryState::Accepted).await;
        let mut rows = vec![SentRow { address: None, ..erased }];
        for role in [Role::Seed, Role::Test] {
            rows.push(scene.row(1, role, DeliveryState::Accepted).await);
        }
        scene.sql("DELETE FROM deliveries WHERE role = 0", &[], &[]).await;
        for state in [DeliveryState::Scheduled, DeliveryState::Sending, DeliveryState::Bounced] {
            rows.push(scene.row(1, Role::Audience, state).await);
            scene.sql("UPDATE deliveries SET slot = id WHERE role = 0", &[], &[]).await;
        }
        // It was accepted when it was read, and no longer is when the count is written.
        let moved = scene.row(1, Role::Audience, DeliveryState::Rejected).await;
        rows.push(SentRow { state: DeliveryState::Accepted, ..moved });
        for row in &rows {
            for kind in OPENS {
                assert_eq!(scene.open(row, kind).await, OpenRecorded::Nothing, "{row:?} {kind}");
            }
            assert!(scene.events(row).await.unwrap().is_empty(), "{row:?}");
        }
        assert_eq!(scene.opens().await, [0, 0, 0]);
    }
}
