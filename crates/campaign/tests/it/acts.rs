//! The operator's and the clock's acts: cancel, expiry, misses, windows, retry, resend, tests.

use crate::on_both_engines;
use crate::world::World;
use postroad_campaign::{Happened, cancel, pause, resume, retry, send_test, test_answers};
use postroad_model::campaign::OnUnknown;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::send_window::SendWindow;
use postroad_model::when::Zone;
use postroad_store::Settled;
use postroad_testkit::builders;
use std::time::Duration;

fn names(happened: &[Happened]) -> Vec<&'static str> {
    happened
        .iter()
        .map(|h| match h {
            Happened::Started { .. } => "started",
            Happened::Missed { .. } => "missed",
            Happened::Ended { .. } => "ended",
            Happened::Resent { .. } => "resent",
            Happened::Finished { .. } => "finished",
            Happened::CanaryPassed { .. } => "passed",
            Happened::CanaryWarned { .. } => "warned",
            Happened::CanaryHeld { .. } => "held",
            Happened::Braked { .. } => "braked",
            Happened::Failed { .. } => "failed",
        })
        .collect()
}

on_both_engines! {
    async fn a_campaign_runs_to_its_end_and_its_numbers_add_up(world) {
        let mut world = world;
        world.subscribe_many("all", 10).await;
        world.start(&world.campaign("c")).await;
        assert_eq!(world.send(7, &Settled::Accepted).await, 7);
        assert_eq!(world.send(2, &Settled::Rejected).await, 2);
        assert!(world.step().await.is_empty(), "one row is open");
        let report = world.report("c").await;
        assert_eq!((report.scheduled, report.accepted, report.rejected), (1, 7, 2));
        let json = serde_json::to_value(&report).unwrap();
        for key in [
            "campaign", "state", "audience", "scheduled", "leased", "sending", "accepted", "rejected", "bounced",
            "unknown", "suppressed", "expired", "cancelled", "failed", "imbalance", "left_out", "relays", "ends_at",
        ] {
            assert!(!json[key].is_null(), "{key}");
        }
        for key in ["accepted", "rejected", "deferred", "quota"] {
            assert!(!json["relays"]["ses-1"][key].is_null(), "{key}");
        }
        assert_eq!(json["relays"]["ses-1"]["quota"][0]["frees_at"], serde_json::Value::Null);
        assert_eq!((report.relays["ses-1"].accepted, report.relays["ses-1"].rejected), (7, 2));
        let quota = &report.relays["ses-1"].quota[0];
        assert_eq!((quota.used, quota.limit, quota.window.as_str()), (9, 200_000, "day in UTC"));
        assert!(report.ends_at.is_some());
        assert_eq!(world.send(5, &Settled::Unknown).await, 1);
        assert_eq!(names(&world.step().await), ["finished"]);
        let report = world.report("c").await;
        assert_eq!((report.state, report.unknown, report.audience), ("finished", 1, 10));
    }

    async fn a_cancel_works_at_once_and_ends_every_waiting_row(world) {
        let mut world = world;
        world.subscribe_many("all", 2_500).await;
        world.start(&world.campaign("c")).await;
        let rows = world.lease(3).await;
        assert_eq!(cancel(&world.store, "c", world.now()).await.unwrap(), 2_497);
        assert!(world.lease(10).await.is_empty());
        let until = world.now();
        let put_back = Settled::PutBack { until, blocked: postroad_store::Blocked::No };
        let claims: Vec<_> = rows.iter().map(|(_, c)| *c).collect();
        let settlements = claims.into_iter().map(|claim| postroad_store::Settlement {
            claim, settled: put_back.clone(), reply: None, phase: None, rule: None, was: postroad_store::Was::Leased, seen: postroad_store::Seen::default(),
        }).collect();
        let batch = postroad_store::WriteBatch { settlements, intents: Vec::new() };
        world.store.write(&batch, world.now()).await.unwrap();
        world.step().await;
        let report = world.report("c").await;
        assert_eq!((report.state, report.cancelled, report.scheduled, report.leased), ("cancelled", 2_500, 0, 0));
        assert!(resume(&world.store, "c", world.now()).await.is_err());
    }

    async fn what_is_not_sent_by_its_expiry_expires_and_the_campaign_finishes(world) {
        let mut world = world;
        world.subscribe_many("all", 5).await;
        world.start(&world.campaign("c")).await;
        assert_eq!(world.send(2, &Settled::Accepted).await, 2);
        pause(&world.store, "c", world.now()).await.unwrap();
        assert!(world.lease(10).await.is_empty());
        world.advance(Duration::from_secs(72 * 3600 + 1));
        assert_eq!(names(&world.step().await), ["ended", "finished"]);
        let report = world.report("c").await;
        assert_eq!((report.state, report.expired, report.accepted), ("finished", 3, 2));
        let expired = [DeliveryState::Expired];
        let retried = retry(&world.store, &world.setup, "c", &expired, "test", world.now()).await.unwrap();
        assert_eq!((retried.reopened, retried.state), (3, "running"));
        assert_eq!(world.send(10, &Settled::Accepted).await, 3);
        assert_eq!(names(&world.step().await), ["finished"]);
    }

    async fn a_campaign_whose_latest_start_has_passed_is_missed(world) {
        world.subscribe_many("all", 5).await;
        let at = world.now().plus(Duration::from_secs(3600));
        let new = world.campaign_with("c", |s| s.latest_start = Some(at.plus(Duration::from_secs(600))));
        postroad_campaign::schedule(&world.store, &world.setup, &new, at, world.now()).await.unwrap();
        assert!(world.step().await.is_empty(), "not yet due");
        world.advance(Duration::from_secs(3600 + 601));
        assert_eq!(names(&world.step().await), ["missed"]);
        assert_eq!(world.report("c").await.state, "missed");
    }

    async fn a_send_window_opens_and_shuts_by_its_zone(world) {
        let mut world = world;
        world.subscribe_many("all", 5).await;
        let zone = Zone::parse("Asia/Ho_Chi_Minh").unwrap();
        // The clock stands at 09:00 there, a Monday.
        let new = world.campaign_with("c", |s| {
            s.window = Some(SendWindow::parse("mon-fri 10:00-11:00", zone).unwrap());
        });
        world.start(&new).await;
        assert!(world.lease(1).await.is_empty(), "it is 09:00");
        world.advance(Duration::from_secs(3600));
        assert_eq!(world.send(1, &Settled::Accepted).await, 1, "it is 10:00");
        world.advance(Duration::from_secs(3600));
        assert!(world.lease(1).await.is_empty(), "it is 11:00");
        world.step().await;
        assert!(world.lease(1).await.is_empty(), "it is 11:00 still");
        world.advance(Duration::from_secs(23 * 3600));
        assert_eq!(world.send(1, &Settled::Accepted).await, 1, "it is Tuesday, 10:00");
    }

    async fn unknown_rows_are_resent_only_by_policy_and_only_so_often(world) {
        let mut world = world;
        world.subscribe_many("all", 1).await;
        let new = world.campaign_with("c", |s| s.on_unknown = OnUnknown::Resend { copies: 2 });
        world.start(&new).await;
        let first = world.lease(1).await;
        world.settle(&first, &Settled::Unknown).await;
        assert!(world.step().await.is_empty(), "evidence is awaited");
        world.advance(Duration::from_secs(1801));
        assert_eq!(names(&world.step().await), ["resent"]);
        let second = world.lease(1).await;
        let (row, _) = &second[0];
        assert_eq!((row.copy_no, row.tries), (1, 0));
        let bound = row.bound.as_ref().unwrap();
        assert_eq!(bound.content_hash, Some(row.id.id * 7));
        let local = bound.mail_from.split('@').next().unwrap();
        let token = world.store.keys().read_envelope(local).unwrap();
        assert_eq!((token.copy_no, token.delivery), (1, row.id), "the tag names the second copy");
        world.settle(&second, &Settled::Unknown).await;
        world.advance(Duration::from_secs(1801));
        assert_eq!(names(&world.step().await), ["finished"], "both copies are spent");
        let story = world.story("p0@example.org", "c").await;
        assert!(story.words.iter().any(|w| w.contains("resend")), "{story:?}");
        assert_eq!((story.state, story.copies), (Some("unknown"), 1));
    }

    async fn a_retry_reopens_what_was_asked_and_nothing_else(world) {
        let mut world = world;
        world.subscribe_many("all", 6).await;
        world.start(&world.campaign("c")).await;
        world.send(2, &Settled::Accepted).await;
        world.send(2, &Settled::Rejected).await;
        world.send(2, &Settled::Unknown).await;
        world.step().await;
        let accepted = [DeliveryState::Accepted];
        let refused = retry(&world.store, &world.setup, "c", &accepted, "test", world.now()).await;
        assert!(refused.unwrap_err().to_string().contains("rows that are accepted cannot be retried"));
        let rejected = [DeliveryState::Rejected];
        let done = retry(&world.store, &world.setup, "c", &rejected, "anna", world.now()).await.unwrap();
        assert_eq!(done.reopened, 2);
        let report = world.report("c").await;
        assert_eq!((report.scheduled, report.accepted, report.rejected, report.unknown), (2, 2, 0, 2));
        assert_eq!(report.relays["ses-1"].rejected, 0);
        let again = world.lease(10).await;
        assert!(again.iter().all(|(r, _)| r.attempt == 2 && r.copy_no == 1 && r.bound.is_none()));
        assert!(again.iter().all(|(r, _)| World::is_audience(r)));
    }

    async fn a_retry_that_finds_nothing_leaves_a_finished_campaign_finished(world) {
        let mut world = world;
        world.subscribe_many("all", 2).await;
        world.start(&world.campaign("c")).await;
        world.send(2, &Settled::Accepted).await;
        assert_eq!(names(&world.step().await), ["finished"]);
        let rejected = [DeliveryState::Rejected];
        let done = retry(&world.store, &world.setup, "c", &rejected, "anna", world.now()).await.unwrap();
        assert_eq!((done.reopened, done.state), (0, "finished"));
        assert_eq!(world.report("c").await.state, "finished");
    }

    async fn a_test_goes_through_each_relay_and_stays_apart(world) {
        let mut world = world;
        world.subscribe("all", &[("anna@example.org", serde_json::json!({"city": "Hue"}))]).await;
        let settings = world.settings();
        let to = builders::address("me@example.com");
        let what = ("c", &settings);
        let test = send_test(&world.store, &world.setup, what, (&to, None), world.now()).await.unwrap();
        assert_eq!(test.relays, ["ses-1", "ses-2"]);
        let rows = world.lease(10).await;
        assert_eq!(rows.len(), 1, "one is pinned to each relay");
        assert_eq!((rows[0].0.role, rows[0].0.address.to_string()), (Role::Test, "me@example.com".into()));
        assert_eq!(rows[0].0.fields.attributes["city"], "Hue", "it borrows a contact's attributes");
        world.settle(&rows, &Settled::Accepted).await;
        let answers = test_answers(&world.store, &test).await.unwrap();
        let states: Vec<_> = answers.iter().map(|a| (a.relay.as_str(), a.state, a.settled)).collect();
        assert_eq!(states, [("ses-1", "accepted", true), ("ses-2", "scheduled", false)]);
        assert_eq!(answers[0].reply.as_deref(), Some("250 2.0.0 OK"));
        world.advance(Duration::from_secs(901));
        assert_eq!(names(&world.step().await), ["ended", "finished"]);
        let report = world.report(&test.name).await;
        assert_eq!((report.audience, report.tests.total, report.tests.accepted), (0, 2, 1));
        let unknown = send_test(&world.store, &world.setup, what, (&to, Some("nix")), world.now()).await;
        assert!(unknown.unwrap_err().to_string().contains("which has: ses-1, ses-2"));
    }
}
