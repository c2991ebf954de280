//! Check, plan and schedule: what they say, and that a refusal changes nothing.

use crate::on_both_engines;
use crate::world::World;
use postroad_campaign::{Error, check, plan, schedule};
use postroad_model::campaign::{BodyFormat, CampaignSettings};
use postroad_model::relay::{Relay, Senders};
use postroad_testkit::builders;
use serde_json::json;
use std::time::Duration;

async fn refusal(world: &World, change: impl FnOnce(&mut CampaignSettings)) -> String {
    let new = world.campaign_with("c", change);
    let now = world.now();
    let error = schedule(&world.store, &world.setup, &new, now, now).await.unwrap_err();
    assert!(world.store.find_campaign("c").await.unwrap().is_none(), "nothing was written");
    error.to_string()
}

on_both_engines! {
    async fn check_composes_everybody_and_names_each_who_cannot_be(world) {
        world.subscribe("all", &[
            ("anna@gmail.com", json!({"city": "Hanoi"})),
            ("bao@example.com", json!({})),
        ]).await;
        let mut settings = world.settings();
        settings.content.body = "<p>{{city}}</p><p><a href=\"{{unsubscribe_url}}\">Leave</a></p>".into();
        let now = world.now();
        let report = check(&world.store, &world.setup, ("c", &settings), now, now).await.unwrap();
        assert_eq!((report.audience, report.composed, report.failed), (2, 1, 1));
        assert_eq!(report.failures[0].address, "bao@example.com");
        assert!(report.failures[0].reason.contains("city"), "{:?}", report.failures);
        assert!(!report.passes());
        assert_eq!(report.identities.len(), 2);
        assert_eq!(report.identities[0].mail_from, "*@b.news.example.com");
        assert!(report.forecast.is_some());
        assert_eq!(report.findings[0].code, "compose", "the worst stands first: {:?}", report.findings);
        settings.filter = Some("citty = 'Hanoi'".into());
        let report = check(&world.store, &world.setup, ("c", &settings), now, now).await.unwrap();
        assert!(report.findings.iter().any(|f| f.code == "empty_audience" && f.message.contains("2 filter")));
        assert!(report.findings.iter().any(|f| f.code == "filter_attribute"));
    }

    async fn a_refusal_says_every_reason_and_changes_nothing(world) {
        let unknown = refusal(&world, |_| ()).await;
        assert!(unknown.contains("no list named \"all\""), "{unknown}");
        world.subscribe("all", &[("anna@example.com", json!({"city": "Hue"}))]).await;
        let empty = refusal(&world, |s| s.filter = Some("city = 'Hanoi'".into())).await;
        assert!(empty.contains("nobody would get it: 1 filter"), "{empty}");
        let broken = refusal(&world, |s| s.content.body = "{{#if".into()).await;
        assert!(broken.contains("the template cannot be used"), "{broken}");
        let over = world.now().plus_ms(-1);
        let expired = refusal(&world, |s| s.expires_at = Some(over)).await;
        assert!(expired.contains("before it starts"), "{expired}");
        let new = world.campaign("c");
        let past = world.now().plus_ms(-3_600_000);
        let error = schedule(&world.store, &world.setup, &new, past, world.now()).await.unwrap_err();
        assert!(error.to_string().contains("has passed"), "{error}");
        let pool = refusal(&world, |s| s.pool = "nix".into()).await;
        assert!(pool.contains("no pool named \"nix\" in the configuration; it has: newsletter"), "{pool}");
        let mut world = world;
        world.setup.public_url = None;
        world.setup.domains[0].unsubscribe_mailto = None;
        let mut remote = Relay { senders: Senders::Domains(vec![builders::domain("example.net")]), ..builders::relay("ses-1") };
        remote.endpoint.host = "smtp.example.net".into();
        world.setup.relays[0] = remote;
        let both = refusal(&world, |_| ()).await;
        assert!(both.contains("nobody could unsubscribe") && both.contains("may send as example.net"), "{both}");
    }

    async fn opens_are_counted_by_an_image_that_needs_https_and_html(world) {
        world.subscribe("all", &[("anna@example.com", json!({"city": "Hue"}))]).await;
        let plain = |s: &mut CampaignSettings| {
            s.track_opens = true;
            s.content.format = BodyFormat::Text;
            s.content.body = "Hi {{unsubscribe_url}}".into();
        };
        let mut settings = world.settings();
        settings.track_opens = true;
        let now = world.now();
        let code = |report: &postroad_campaign::CheckReport| {
            report.findings.iter().find(|f| f.code.starts_with("opens_")).map(|f| f.code)
        };
        let fine = check(&world.store, &world.setup, ("c", &settings), now, now).await.unwrap();
        assert_eq!(code(&fine), None, "{:?}", fine.findings);
        plain(&mut settings);
        let text = check(&world.store, &world.setup, ("c", &settings), now, now).await.unwrap();
        assert!(text.passes() && code(&text) == Some("opens_without_html"), "{:?}", text.findings);
        let mut world = world;
        for url in [None, Some("http://news.example.com".to_owned())] {
            world.setup.public_url = url;
            let refused = refusal(&world, |s| s.track_opens = true).await;
            assert!(refused.contains("track_opens needs [web] public_url"), "{refused}");
        }
    }

    async fn what_is_scheduled_is_copied_and_may_be_replaced_until_it_starts(world) {
        world.subscribe_many("all", 3).await;
        let at = world.now().plus(Duration::from_secs(3600));
        let done = schedule(&world.store, &world.setup, &world.campaign("c"), at, world.now()).await.unwrap();
        assert_eq!(done.plan.forecast.people, 3);
        assert_eq!(done.stored.expires_at, Some(at.plus(Duration::from_secs(72 * 3600))));
        let other = world.campaign_with("c", |s| s.content.subject = "Other".into());
        schedule(&world.store, &world.setup, &other, at, world.now()).await.unwrap();
        let stored = world.store.campaign("c").await.unwrap();
        assert_eq!(stored.campaign.settings.content.subject, "Other");
        assert!(world.store.latest_plan(stored.campaign.id).await.unwrap().unwrap().parent.is_some());
        world.advance(Duration::from_secs(3600));
        world.step().await;
        let late = schedule(&world.store, &world.setup, &other, world.now(), world.now()).await;
        assert!(matches!(late, Err(Error::Store(postroad_store::Error::Exists { .. }))));
    }

    async fn a_plan_counts_by_provider_and_says_when_it_ends(world) {
        world.subscribe("all", &[("a@gmail.com", json!({})), ("b@gmail.com", json!({})), ("c@example.com", json!({}))]).await;
        let now = world.now();
        let planned = plan(&world.store, &world.setup, &world.settings(), now, now).await.unwrap();
        let counts: Vec<_> = planned.plan.slices.iter().map(|s| (s.provider.as_str(), s.count)).collect();
        assert_eq!(counts, [("other", 1), ("google", 2)]);
        assert!(planned.plan.forecast.to_string().starts_with("3 people"), "{}", planned.plan.forecast);
    }
}
