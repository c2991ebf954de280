//! Reports against rows in every state, the policy's thresholds, and what is kept for review, on both engines.

use crate::backend::tx;
use crate::test_stores::stores;
use crate::{
    BounceFilter, EventKind, NewFeedback, Recorded, SentRow, Store, Strength, SuppressWhen,
};
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::feedback::{Evidence, Threshold};
use postroad_model::limit::LimitUnit;
use postroad_model::suppression::SuppressionReason;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_model::{CampaignId, DeliveryId, EmailAddress, MailboxProvider, RelayId, Timestamp};
use postroad_testkit::builders;
use postroad_testkit::rows::BUCKET;
use std::time::Duration;

pub(crate) const NOW: Timestamp = Timestamp(1_796_000_000_000);
const DAY: i64 = 86_400_000;

pub(crate) struct Scene {
    pub(crate) store: Store,
    _guard: Box<dyn std::any::Any>,
}

fn an() -> EmailAddress {
    builders::address("an@example.vn")
}

pub(crate) async fn scenes() -> Vec<Scene> {
    let mut all = Vec::new();
    for (store, guard) in stores().await {
        let scene = Scene { store, _guard: guard };
        for (id, state) in [(1, "running"), (2, "running"), (3, "cancelled")] {
            scene.campaign(id, state).await;
        }
        all.push(scene);
    }
    all
}

impl Scene {
    pub(crate) async fn sql(&self, text: &'static str, numbers: &[i64], words: &[&str]) {
        self.try_sql(text, numbers, words).await.unwrap();
    }

    async fn try_sql(
        &self,
        text: &'static str,
        numbers: &[i64],
        words: &[&str],
    ) -> crate::Result<()> {
        tx!(&self.store, |c, _e| {
            let mut query = sqlx::query(text);
            for n in numbers {
                query = query.bind(*n);
            }
            for word in words {
                query = query.bind(word.to_string());
            }
            query.execute(&mut *c).await.unwrap();
            Ok(())
        })
    }

    async fn newest(&self) -> crate::Result<i64> {
        tx!(&self.store, |c, _e| {
            let id = sqlx::query_scalar("SELECT max(id) FROM deliveries");
            Ok(id.fetch_one(&mut *c).await.unwrap())
        })
    }

    async fn campaign(&self, id: i64, state: &str) {
        self.sql(
            "INSERT INTO campaigns (id, name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, \
             window_open_at, version, updated_at) \
             VALUES ($1, CAST($1 AS TEXT), 'bulk', 1, $2, 7, 0, $4, '{}', '{}', 0, 1, $3)",
            &[id, BUCKET, NOW.0],
            &[state],
        )
        .await;
    }

    /// A row of An's that went through relay 9, with a copy on the wire if it was sent.
    pub(crate) async fn row(&self, campaign: i64, role: Role, state: DeliveryState) -> SentRow {
        let hash = self.store.keys().address_hash(&an());
        self.sql(
            "INSERT INTO deliveries (bucket, campaign_id, role, slot, address, address_hash, provider, pool_id, rank, \
             state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, lane_relay, epoch, \
             content_hash, bound_relay, mail_from, updated_at) \
             VALUES ($1, $2, $3, 0, 'an@example.vn', $4, 1, 1, 5, $5, 0, 0, 0, 1, 0, 0, 0, 77, 9, 1, 5, 9, 'm@x', $6)",
            &[BUCKET, campaign, role.code(), hash, state.code(), NOW.0],
            &[],
        )
        .await;
        self.sql(
            "INSERT INTO counters (campaign_id, role, relay_id, state, n) VALUES ($1, $2, 9, $3, 1)",
            &[campaign, role.code(), state.code()],
            &[],
        )
        .await;
        let id = DeliveryId { bucket: BUCKET, id: self.newest().await.unwrap() };
        self.store.sent_row(id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, row: &SentRow) -> DeliveryState {
        self.store.sent_row(row.id).await.unwrap().unwrap().state
    }

    /// Counters of a campaign that are not zero: state and n.
    pub(crate) async fn counted(&self, campaign: i64) -> Vec<(i64, i64)> {
        let all = self.store.counters(CampaignId(campaign)).await.unwrap();
        all.iter().filter(|c| c.n != 0).map(|c| (c.code, c.n)).collect()
    }

    /// The kinds of a row's events, in order.
    pub(crate) async fn events(&self, row: &SentRow) -> crate::Result<Vec<String>> {
        tx!(&self.store, |c, _e| {
            let kinds = "SELECT kind FROM events WHERE delivery_id = $1 ORDER BY id";
            let kinds = sqlx::query_scalar(kinds).bind(row.id.id);
            Ok(kinds.fetch_all(&mut *c).await.unwrap())
        })
    }

    async fn take(&self, new: &NewFeedback) -> Recorded {
        self.store.record_feedback(new, NOW).await.unwrap()
    }
}

fn bounce(row: &SentRow, reason: Reason, threshold: Threshold, at: Timestamp) -> NewFeedback {
    NewFeedback {
        key: format!("bounce:{}.{}", row.id, at.0),
        at,
        kind: EventKind::Bounce,
        row: row.clone(),
        evidence: Evidence::Returned,
        verdict: Some((BounceKind::Hard, reason)),
        strength: Strength::Strong,
        said: (Some(550), Some("5.1.1".into()), Some("no such user".into())),
        data: "{}".into(),
        suppress: Some(SuppressWhen {
            threshold,
            reason: SuppressionReason::HardBounce,
            origin: "bounce".into(),
        }),
        full: None,
    }
}

#[tokio::test]
async fn a_bounce_is_recorded_once_moves_its_row_and_stops_the_address() {
    for scene in scenes().await {
        let sent = scene.row(1, Role::Audience, DeliveryState::Accepted).await;
        let waits = scene.row(2, Role::Audience, DeliveryState::Scheduled).await;
        let new = bounce(&sent, Reason::BadMailbox, Threshold::AT_ONCE, NOW);
        let Recorded::Fresh { moved, suppressed: Some(done) } = scene.take(&new).await else {
            panic!("not recorded")
        };
        assert_eq!((moved, done.added, done.stopped), (Some(DeliveryState::Bounced), 1, 1));
        assert_eq!(scene.state(&waits).await, DeliveryState::Suppressed);
        assert_eq!(scene.take(&new).await, Recorded::SeenBefore);
        assert_eq!(scene.counted(1).await, [(DeliveryState::Bounced.code(), 1)]);
        let tallies = scene.store.tallies(&[CampaignId(1)]).await.unwrap();
        assert_eq!((tallies.len(), tallies[0].n, tallies[0].weak), (1, 1, 0));
        assert_eq!((tallies[0].relay, tallies[0].provider), (RelayId(9), MailboxProvider::Google));
        assert_eq!(scene.store.tallies(&[CampaignId(7), CampaignId(1)]).await.unwrap(), tallies);
        assert!(scene.store.tallies(&[CampaignId(7)]).await.unwrap().is_empty());
        let filter = BounceFilter { address: Some(&an()), ..BounceFilter::default() };
        let events = scene.store.bounce_events(filter, i64::MAX, 10).await.unwrap();
        assert_eq!((events.len(), events[0].reason.as_deref()), (1, Some("bad_mailbox")));
        assert_eq!(events[0].address.as_deref(), Some("an@example.vn"));
        let stands = scene.store.suppressions_against(&an()).await.unwrap();
        assert_eq!(stands[0].reason, SuppressionReason::HardBounce);
    }
}

#[tokio::test]
async fn a_row_on_the_wire_is_left_alone_and_the_report_comes_again() {
    for scene in scenes().await {
        let row = scene.row(1, Role::Audience, DeliveryState::Sending).await;
        let new = bounce(&row, Reason::BadMailbox, Threshold::AT_ONCE, NOW);
        assert_eq!(scene.take(&new).await, Recorded::OnTheWire);
        assert_eq!(scene.state(&row).await, DeliveryState::Sending);
        assert!(scene.store.suppressions_against(&an()).await.unwrap().is_empty());
        scene.sql("UPDATE deliveries SET state = 3 WHERE id = $1", &[row.id.id], &[]).await;
        assert!(matches!(scene.take(&new).await, Recorded::Fresh { .. }));
    }
}

#[tokio::test]
async fn soft_reports_suppress_after_their_threshold_and_a_sign_of_life_clears_them() {
    for scene in scenes().await {
        let threshold =
            Threshold { campaigns: 2, ..Threshold::after(3, Duration::from_secs(30 * 86_400)) };
        let (first, second) = (
            scene.row(1, Role::Audience, DeliveryState::Accepted).await,
            scene.row(2, Role::Audience, DeliveryState::Accepted).await,
        );
        let full =
            |row, day: i64| bounce(row, Reason::MailboxFull, threshold, NOW.plus_ms(day * DAY));
        scene.take(&full(&first, 0)).await;
        scene.take(&full(&first, 1)).await;
        let alive = NewFeedback {
            key: "delivered".into(),
            at: NOW.plus_ms(DAY * 3 / 2),
            kind: EventKind::Delivered,
            evidence: Evidence::Arrived,
            verdict: None,
            suppress: None,
            ..full(&first, 0)
        };
        scene.take(&alive).await;
        for day in 2..4 {
            let done = scene.take(&full(&first, day)).await;
            assert!(matches!(done, Recorded::Fresh { suppressed: None, .. }), "{done:?}");
        }
        let other = bounce(&second, Reason::Network, threshold, NOW.plus_ms(4 * DAY));
        assert!(matches!(scene.take(&other).await, Recorded::Fresh { suppressed: None, .. }));
        let done = scene.take(&full(&second, 5)).await;
        assert!(matches!(done, Recorded::Fresh { suppressed: Some(_), .. }), "{done:?}");
    }
}

#[tokio::test]
async fn a_quota_notice_reopens_the_row_and_marks_the_limit_full_unless_the_campaign_is_over() {
    for scene in scenes().await {
        let limit = postroad_model::limit::Limit::rolling(
            "day",
            500,
            LimitUnit::Recipients,
            Duration::from_secs(86_400),
        );
        scene.store.sync_limits("relay:gmail", &[limit], NOW).await.unwrap();
        let row = scene.row(1, Role::Audience, DeliveryState::Accepted).await;
        let notice = |row: &SentRow| NewFeedback {
            evidence: Evidence::Quota,
            suppress: None,
            full: Some(("relay:gmail".into(), Some("day".into()))),
            ..bounce(row, Reason::Quota, Threshold::AT_ONCE, NOW)
        };
        scene.take(&notice(&row)).await;
        let after = scene.store.sent_row(row.id).await.unwrap().unwrap();
        assert_eq!((after.state, after.copy_no), (DeliveryState::Scheduled, 1));
        let mut books = scene.store.limits("relay:gmail").await.unwrap();
        let limit = books[0].limit.clone();
        let free = books[0].book.free(&limit, NOW).unwrap();
        assert_eq!(free.amount, 0, "{free:?}");
        let over = scene.row(3, Role::Audience, DeliveryState::Accepted).await;
        scene.take(&notice(&over)).await;
        assert_eq!(scene.state(&over).await, DeliveryState::Bounced);
    }
}

#[tokio::test]
async fn tests_and_seeds_are_told_of_but_neither_suppressed_nor_tallied() {
    for scene in scenes().await {
        let row = scene.row(1, Role::Test, DeliveryState::Unknown).await;
        let new = bounce(&row, Reason::BadMailbox, Threshold::AT_ONCE, NOW);
        let done = scene.take(&new).await;
        let moved = Some(DeliveryState::Bounced);
        assert_eq!(done, Recorded::Fresh { moved, suppressed: None });
        assert!(scene.store.tallies(&[CampaignId(1)]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_was_sent_to_an_address_is_found_newest_first_and_refusals_once() {
    for scene in scenes().await {
        let row = scene.row(1, Role::Audience, DeliveryState::Rejected).await;
        let sent = scene.row(2, Role::Audience, DeliveryState::Accepted).await;
        let found = scene.store.sent_to(&an(), NOW.plus_ms(-DAY)).await.unwrap();
        assert_eq!(found.iter().map(|r| r.id).collect::<Vec<_>>(), [sent.id]);
        assert!(scene.store.sent_to(&an(), NOW.plus_ms(DAY)).await.unwrap().is_empty());
        scene
            .sql(
                "INSERT INTO attempts (bucket, delivery_id, attempt, relay_id, at, outcome, phase, code, reply) \
                 VALUES ($1, $2, 1, 9, $3, 'rejected', 'rcpt_to', 550, 'no such user')",
                &[BUCKET, row.id.id, NOW.0],
                &[],
            )
            .await;
        let refusals = scene.store.refusals(NOW, 10).await.unwrap();
        assert_eq!((refusals.len(), refusals[0].code, refusals[0].row.id), (1, 550, row.id));
        let new = NewFeedback {
            key: refusals[0].key(),
            ..bounce(&row, Reason::BadMailbox, Threshold::AT_ONCE, NOW)
        };
        assert!(matches!(scene.take(&new).await, Recorded::Fresh { moved: None, .. }));
        assert!(scene.store.refusals(NOW, 10).await.unwrap().is_empty());
        let by = scene.store.sent_by(CampaignId(1)).await.unwrap();
        assert_eq!(by, [(RelayId(9), MailboxProvider::Google, 1)]);
    }
}

#[tokio::test]
async fn a_mail_for_review_is_kept_once_and_for_its_time() {
    for scene in scenes().await {
        let keep = async |digest: &str| {
            let until = (NOW, NOW.plus_ms(DAY));
            scene.store.keep_raw(digest, ("stdin", "no recipient"), b"x\xff", until).await.unwrap();
        };
        keep("a").await;
        keep("a").await;
        keep("b").await;
        let kept = scene.store.raw_mails(0, NOW, 10).await.unwrap();
        assert_eq!((kept.len(), kept[0].raw.as_slice()), (2, b"x\xff".as_slice()));
        assert!(scene.store.drop_raw(kept[0].id).await.unwrap());
        assert!(!scene.store.drop_raw(kept[0].id).await.unwrap());
        assert_eq!(scene.store.expire_raw(NOW.plus_ms(DAY)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn only_proven_reports_about_the_audience_count_for_brakes_each_row_once() {
    for scene in scenes().await {
        let counts = async || {
            let since = NOW.plus_ms(-DAY);
            let (relay, reason) = (RelayId(9), Reason::ReputationBlock);
            let google = Some(MailboxProvider::Google);
            let relay = scene.store.count_reason(relay, google, reason, since).await.unwrap();
            let campaign = CampaignId(1);
            let campaign =
                scene.store.count_campaign_reason(campaign, reason, since).await.unwrap();
            (relay, campaign)
        };
        let block = |row: &SentRow, at: i64, strength| NewFeedback {
            evidence: Evidence::Nothing,
            verdict: Some((BounceKind::Block, Reason::ReputationBlock)),
            strength,
            suppress: None,
            ..bounce(row, Reason::ReputationBlock, Threshold::AT_ONCE, NOW.plus_ms(at))
        };
        let test = scene.row(1, Role::Test, DeliveryState::Accepted).await;
        let sent = scene.row(1, Role::Audience, DeliveryState::Accepted).await;
        scene.take(&block(&test, 1, Strength::Strong)).await;
        scene.take(&block(&sent, 1, Strength::Weak)).await;
        assert_eq!(counts().await, (0, 0));
        for at in 2..4 {
            scene.take(&block(&sent, at, Strength::Strong)).await;
            assert_eq!(counts().await, (1, 1));
        }
        let tallies = scene.store.tallies(&[CampaignId(1)]).await.unwrap();
        assert_eq!((tallies[0].n, tallies[0].weak), (1, 1));
    }
}
