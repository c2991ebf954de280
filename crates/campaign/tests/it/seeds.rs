//! Seeds of a campaign: planned before its start, released in step with the audience, in no sum of it.

use crate::on_both_engines;
use crate::world::World;
use postroad_campaign::{CheckReport, Composer, Happened, OPEN_PATH, Recipient, UNSUBSCRIBE_PATH};
use postroad_model::MailboxProvider::{self, Google, Other, Yahoo};
use postroad_model::delivery::Role;
use postroad_model::placement::Placement;
use postroad_model::seed::{MoreAddresses, Seed, SeedChoice};
use postroad_model::token::{LinkEffect, LinkKind};
use postroad_store::{SeedCopy, Settled};
use postroad_testkit::builders;
use std::collections::BTreeSet;

pub fn seed(name: &str, provider: MailboxProvider) -> Seed {
    let address = builders::address(&format!("{name}@seeds.example"));
    let (more, person) = (MoreAddresses::Plus, None);
    let attributes = serde_json::Map::new();
    Seed { name: name.into(), address, provider, more, person, attributes }
}

fn with_seeds(world: &mut World) {
    world.setup.seeds = vec![seed("g", Google), seed("y", Yahoo)];
}

async fn copies(world: &World, name: &str) -> Vec<SeedCopy> {
    let id = world.store.campaign(name).await.unwrap().campaign.id;
    world.store.seed_copies(id).await.unwrap()
}

fn released(copies: &[SeedCopy]) -> usize {
    copies.iter().filter(|c| c.released_at.is_some()).count()
}

async fn check(
    world: &World,
    change: impl FnOnce(&mut postroad_model::campaign::CampaignSettings),
) -> CheckReport {
    let new = world.campaign_with("c", change);
    let now = world.now();
    let what = (new.name.as_str(), &new.settings);
    postroad_campaign::check(&world.store, &world.setup, what, now, now).await.unwrap()
}

on_both_engines! {
    async fn each_relay_sends_to_each_provider_and_the_campaign_ends_with_its_seeds(world) {
        let mut world = world;
        with_seeds(&mut world);
        world.subscribe_many("all", 200).await;
        world.start(&world.campaign("c")).await;
        let planned = copies(&world, "c").await;
        let cells: BTreeSet<_> = planned.iter().map(|c| (c.relay, c.provider)).collect();
        assert_eq!((planned.len(), cells.len()), (4, 4));
        assert_eq!(released(&planned), 0);
        world.step().await;
        assert_eq!(released(&copies(&world, "c").await), 1, "the first goes with the first hundredth");
        while world.send(60, &Settled::Accepted).await > 0 {
            world.step().await;
            let here = copies(&world, "c").await;
            let report = world.report("c").await;
            assert_eq!((report.audience, report.seeds.total), (200, 4), "they have a sum of their own");
            if report.scheduled > 100 {
                assert!(released(&here) < 4, "{here:?}");
            }
        }
        let rest = world.lease_on(1, 60).await;
        assert!(rest.iter().all(|(row, _)| row.role == Role::Seed), "{rest:?}");
        assert!(world.step().await.is_empty(), "a campaign waits for its seeds");
        world.settle(&rest, &Settled::Accepted).await;
        assert_eq!(world.step().await, [Happened::Finished { campaign: "c".into() }]);
        let copies = copies(&world, "c").await;
        assert!(copies.iter().all(|c| c.placement == Placement::Pending && c.accepted_at.is_some()));
        let id = copies[0].campaign;
        assert_eq!(world.store.provider_mix(id).await.unwrap(), [(Other, 200)]);
        assert_eq!(world.store.seed_gaps(id).await.unwrap().len(), 2, "nobody looks at the others");
    }

    async fn a_campaign_that_ends_early_ends_its_seeds_too(world) {
        let mut world = world;
        with_seeds(&mut world);
        world.subscribe_many("all", 20).await;
        world.start(&world.campaign("c")).await;
        let (store, now) = (world.store.clone(), world.now());
        postroad_campaign::cancel(&store, "c", now).await.unwrap();
        world.step().await;
        let copies = copies(&world, "c").await;
        assert!(copies.iter().all(|c| c.placement == Placement::NotSent && !c.state.is_open()), "{copies:?}");
        let report = world.report("c").await;
        assert_eq!((report.cancelled, report.seeds.accepted), (20, 0));
    }

    async fn a_seeds_links_and_image_change_nothing(world) {
        let mut world = world;
        with_seeds(&mut world);
        world.subscribe_many("all", 1).await;
        world.start(&world.campaign_with("c", |s| s.track_opens = true)).await;
        world.step().await;
        let campaign = world.store.campaign("c").await.unwrap().campaign;
        let composer = Composer::new(&campaign, &world.setup, world.store.keys()).unwrap();
        let mut effects = Vec::new();
        for lane in [0, 1] {
            for (row, _) in world.lease_on(lane, 10).await {
                let message = composer.compose(&Recipient::leased(&row, world.now()), None).unwrap();
                let text = String::from_utf8(message.bytes).unwrap();
                let unfolded = text.replace("\r\n ", "").replace("=\r\n", "");
                let token = |path| {
                    let link = unfolded.split(path).nth(1).unwrap();
                    let end = |c: &char| !matches!(c, '>' | '"' | ' ' | '\r' | '.');
                    let token: String = link.chars().take_while(end).collect();
                    world.store.keys().read_link(&token).unwrap()
                };
                let (leave, image) = (token(UNSUBSCRIBE_PATH), token(OPEN_PATH));
                assert_eq!((image.kind, image.delivery, image.effect), (LinkKind::Open, row.id, leave.effect));
                effects.push((row.role, leave.effect));
            }
        }
        effects.sort_by_key(|(role, _)| role.code());
        assert_eq!(effects[0], (Role::Audience, LinkEffect::Real));
        assert!(effects.len() > 1, "{effects:?}");
        assert!(effects[1..].iter().all(|e| *e == (Role::Seed, LinkEffect::Test)), "{effects:?}");
    }

    async fn a_campaign_chooses_its_seeds_and_an_unknown_one_is_refused(world) {
        let mut world = world;
        with_seeds(&mut world);
        world.subscribe("all", &[("anna@gmail.com", serde_json::json!({}))]).await;
        let codes = |r: &CheckReport| r.findings.iter().map(|f| f.code).collect::<Vec<_>>();
        let all = check(&world, |_| ()).await;
        assert!(!codes(&all).contains(&"seeds_do_not_cover"), "{all:?}");
        assert_eq!(all.forecast.as_ref().unwrap().people, 1);
        let one = check(&world, |s| s.seeds = SeedChoice::Named(vec!["y".into()])).await;
        assert!(codes(&one).contains(&"seeds_do_not_cover"), "{one:?}");
        let odd = check(&world, |s| s.seeds = SeedChoice::Named(vec!["x".into()])).await;
        assert!(!odd.passes() && codes(&odd).contains(&"unknown_seed"), "{odd:?}");
        let new = world.campaign_with("c", |s| s.seeds = SeedChoice::None);
        world.start(&new).await;
        assert!(copies(&world, "c").await.is_empty());
    }
}
