//! The freeze: everyone becomes a row or has a reason, in rank order, also after a kill.

use crate::on_both_engines;
use crate::world::World;
use postroad_campaign::{Freeze, Happened, freeze};
use postroad_model::campaign::CampaignAct;
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_store::{Unsubscribe, UnsubscribeFrom};
use postroad_testkit::builders;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

async fn suppress(world: &World, address: &str, scope: SuppressionScope) {
    let wish = NewSuppression {
        address: builders::address(address),
        scope,
        reason: SuppressionReason::Manual,
        origin: "test".into(),
        at: world.now(),
    };
    world.store.suppress(&wish).await.unwrap();
}

on_both_engines! {
    async fn everyone_on_the_lists_becomes_a_row_or_has_a_reason(world) {
        world.subscribe("all", &[
            ("anna@gmail.com", json!({"city": "Hanoi"})),
            ("bao@example.com", json!({"city": "Hanoi"})),
            ("chi@example.com", json!({"city": "Hue"})),
            ("dung@example.com", json!({"city": "Hanoi"})),
            ("em@example.com", json!({"city": "Hanoi"})),
            ("phuc@example.com", json!({"city": "Hanoi"})),
            ("giang@example.com", json!({"city": "Hanoi"})),
        ]).await;
        world.subscribe("staff", &[("dung@example.com", json!({}))]).await;
        world.subscribe("other", &[("xuan@example.com", json!({"city": "Hanoi"}))]).await;
        suppress(&world, "em@example.com", SuppressionScope::All).await;
        let all = world.store.list_id("all").await.unwrap();
        suppress(&world, "phuc@example.com", SuppressionScope::List(all)).await;
        let contact = world.store.contact(&builders::address("giang@example.com")).await.unwrap().unwrap();
        let wish = Unsubscribe {
            contact: contact.id,
            from: UnsubscribeFrom::Lists(vec![all]),
            origin: "test".into(),
            campaign: None,
            delivery: None,
            at: world.now(),
        };
        world.store.unsubscribe(&wish).await.unwrap();
        let new = world.campaign_with("c", |s| {
            s.filter = Some("city = 'Hanoi'".into());
            s.exclude = vec!["staff".into()];
        });
        world.start(&new).await;
        let report = world.report("c").await;
        assert_eq!((report.audience, report.scheduled, report.state), (2, 2, "running"));
        let left: Vec<_> = report.left_out.iter().map(|(why, n)| (why.as_str(), *n)).collect();
        assert_eq!(left, [("excluded", 1), ("filter", 1), ("suppressed", 2), ("unsubscribed", 1)]);
        assert_eq!(world.story("chi@example.com", "c").await.left_out.as_deref(), Some("filter"));
        assert_eq!(world.story("anna@gmail.com", "c").await.state, Some("scheduled"));
        let stranger = world.story("xuan@example.com", "c").await;
        assert!(stranger.words.last().unwrap().contains("not in the campaign's audience"), "{stranger:?}");
    }

    async fn ids_ascend_with_ranks_and_every_address_has_one_row(world) {
        world.subscribe_many("all", 4_500).await;
        world.start(&world.campaign("c")).await;
        let report = world.report("c").await;
        assert_eq!((report.audience, report.scheduled), (4_500, 4_500));
        let rows = world.rows("c").await;
        let hashes: Vec<i64> = rows.iter().map(|r| {
            world.store.keys().address_hash(&builders::address(&r.address))
        }).collect();
        let ranks: Vec<i64> = hashes.iter().map(|h| postroad_model::rank::rank(42, *h)).collect();
        assert!(ranks.is_sorted(), "rows are exported by id, and ids ascend with ranks");
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), 4_500);
    }

    async fn a_freeze_that_dies_anywhere_goes_on_where_it_stood(world) {
        world.subscribe_many("all", 4_100).await;
        suppress(&world, "p7@example.org", SuppressionScope::All).await;
        let now = world.now();
        let new = world.campaign("c");
        postroad_campaign::schedule(&world.store, &world.setup, &new, now, now).await.unwrap();
        let campaign = world.store.campaign("c").await.unwrap().campaign;
        let mut deaths = 0;
        for steps in 0.. {
            // The clock is asked before each step: at the given one the freeze dies.
            let left = AtomicU32::new(steps);
            let clock = world.clock.clone();
            let time = move || {
                use postroad_model::Clock as _;
                if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err() {
                    std::panic::resume_unwind(Box::new("killed"));
                }
                clock.now()
            };
            let (store, campaign, node) = (world.store.clone(), campaign.clone(), world.node);
            let run = tokio::spawn(async move { freeze(&store, &campaign, node, &time).await });
            match run.await {
                Ok(done) => {
                    assert_eq!(done.unwrap(), Freeze::Done { audience: 4_099 });
                    break;
                }
                Err(_) => deaths += 1,
            }
        }
        assert!(deaths >= 6, "it died at each of its steps: {deaths}");
        let happened = world.step().await;
        assert_eq!(happened, [Happened::Started { campaign: "c".into(), audience: 4_099 }]);
        let report = world.report("c").await;
        assert_eq!((report.audience, report.scheduled, report.left_out["suppressed"]), (4_099, 4_099, 1));
    }

    async fn another_node_waits_for_the_holder_and_then_takes_over(world) {
        world.subscribe_many("all", 10).await;
        let now = world.now();
        postroad_campaign::schedule(&world.store, &world.setup, &world.campaign("c"), now, now).await.unwrap();
        let campaign = world.store.campaign("c").await.unwrap().campaign;
        let held = world.store.take_job(&format!("freeze:{}", campaign.id), world.node, now).await.unwrap();
        let other = world.store.register_node("other", "0", now).await.unwrap();
        let clock = world.clock.clone();
        let time = move || { use postroad_model::Clock as _; clock.now() };
        assert_eq!(freeze(&world.store, &campaign, other, &time).await.unwrap(), Freeze::Elsewhere);
        world.advance(Duration::from_secs(61));
        assert_eq!(freeze(&world.store, &campaign, other, &time).await.unwrap(), Freeze::Done { audience: 10 });
        let stale = world.store.insert_audience_slice(&held.unwrap(), campaign.id, ((0, 9), "rows"), world.now()).await;
        assert!(matches!(stale, Err(postroad_store::Error::JobLost { .. })));
    }

    async fn a_campaign_that_is_cancelled_while_it_is_frozen_adds_up(world) {
        world.subscribe_many("all", 4_500).await;
        let now = world.now();
        postroad_campaign::schedule(&world.store, &world.setup, &world.campaign("c"), now, now).await.unwrap();
        let campaign = world.store.campaign("c").await.unwrap().campaign;
        let (url, id) = (world.url().to_owned(), campaign.id);
        let asked = AtomicU32::new(0);
        let clock = world.clock.clone();
        let time = move || {
            use postroad_model::Clock as _;
            // Somewhere among the slices the operator cancels.
            if asked.fetch_add(1, Ordering::SeqCst) == 7 {
                let now = clock.now();
                World::elsewhere(&url, async move |store| {
                    store.apply_campaign_act(id, &CampaignAct::Cancel, now).await.unwrap();
                });
            }
            clock.now()
        };
        let ended = freeze(&world.store, &campaign, world.node, &time).await.unwrap();
        assert_eq!(ended, Freeze::GivenUp);
        world.step().await;
        let report = world.report("c").await;
        assert_eq!((report.state, report.scheduled), ("cancelled", 0));
        assert_eq!(report.cancelled, report.audience);
    }
}
