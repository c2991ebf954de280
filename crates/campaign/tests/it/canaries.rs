//! Canaries and brakes by placement: what goes first, what the verdict does, who serves a provider instead.

use crate::on_both_engines;
use crate::world::World;
use postroad_campaign::{CanaryAct, Error, Happened, pause, resume, resume_anyway, schedule};
use postroad_model::canary::Canary;
use postroad_model::delivery::{DeliveryState, Role};
use postroad_model::placement::Placement;
use postroad_model::{MailboxProvider, Timestamp};
use postroad_store::{Authentication, Brake, NewSeedCopy, SeedLook, Settled};
use postroad_testkit::builders;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(1800);
const PEOPLE: usize = 200;

fn canary(share: f64, min_inbox: f64) -> Canary {
    Canary { share, wait: WAIT, min_inbox }
}

/// A campaign `c` to people at Google with a canary and so many seeds for each lane, scheduled and started.
async fn started(world: &World, canary: Canary, seeds: [usize; 2]) {
    started_as(world, "c", canary, seeds).await;
}

async fn started_as(world: &World, name: &str, canary: Canary, seeds: [usize; 2]) {
    let names: Vec<String> = (0..PEOPLE).map(|i| format!("p{i}@gmail.com")).collect();
    let people: Vec<_> = names.iter().map(|a| (a.as_str(), serde_json::json!({}))).collect();
    world.subscribe("all", &people).await;
    let now = world.now();
    let new = world.campaign_with(name, |s| s.canary = Some(canary));
    let scheduled = schedule(&world.store, &world.setup, &new, now, now).await.unwrap();
    let id = scheduled.stored.campaign.id;
    let copies: Vec<NewSeedCopy> = (0..2)
        .flat_map(|lane| (0..seeds[lane]).map(move |n| (lane, n)))
        .map(|(lane, n)| NewSeedCopy {
            mailbox: "seeds".into(),
            address: builders::address(&format!("seed+{lane}{n}@gmail.com")),
            provider: MailboxProvider::Google,
            relay: world.relay(lane),
            rank: i64::MAX / 20 * i64::try_from(n).unwrap(),
            name: None,
            attributes: serde_json::Map::new(),
        })
        .collect();
    world.store.ensure_partition(scheduled.stored.campaign.bucket).await.unwrap();
    world.store.plan_seeds(id, (&copies, &[]), now).await.unwrap();
    let happened = world.step().await;
    assert!(matches!(happened[..], [Happened::Started { .. }, ..]), "{happened:?}");
    // The next step finds it running, and lets its seeds go.
    world.step().await;
}

/// Both lanes send all that they get; gives recipients and seeds.
async fn send_all(world: &mut World) -> (usize, usize) {
    let (mut people, mut seeds) = (0, 0);
    for lane in [0, 1] {
        let rows = world.lease_on(lane, 500).await;
        people += rows.iter().filter(|(row, _)| row.role == Role::Audience).count();
        seeds += rows.iter().filter(|(row, _)| row.role == Role::Seed).count();
        world.settle(&rows, &Settled::Accepted).await;
    }
    (people, seeds)
}

/// Writes where the copies of a lane landed, in turn; the others stay as they are.
async fn landed(world: &World, lane: usize, placements: &[Placement]) {
    landed_as(world, "c", lane, placements).await;
}

async fn landed_as(world: &World, name: &str, lane: usize, placements: &[Placement]) {
    let now = world.now();
    let id = world.store.campaign(name).await.unwrap().campaign.id;
    let copies = world.store.seed_copies(id).await.unwrap();
    let of_lane = copies.iter().filter(|c| c.relay == world.relay(lane));
    let looks: Vec<SeedLook> = of_lane
        .zip(placements)
        .map(|(copy, placement)| SeedLook {
            delivery: copy.delivery,
            placement: *placement,
            folder: None,
            tab: None,
            accepted_at: copy.accepted_at,
            arrived_at: None,
            authentication: Authentication::default(),
            next_look_at: None,
            trouble: None,
        })
        .collect();
    let job = world.store.take_job("look", world.node, now).await.unwrap().unwrap();
    world.store.record_seed_looks(&job, "seeds", &looks, None, now).await.unwrap();
    world.store.release_job(&job, Some(""), now).await.unwrap();
}

fn names(happened: &[Happened]) -> Vec<&'static str> {
    let name = |h: &Happened| match h {
        Happened::CanaryPassed { .. } => "passed",
        Happened::CanaryWarned { .. } => "warned",
        Happened::CanaryHeld { .. } => "held",
        Happened::Braked { .. } => "braked",
        Happened::Finished { .. } => "finished",
        Happened::Started { .. }
        | Happened::Missed { .. }
        | Happened::Ended { .. }
        | Happened::Resent { .. }
        | Happened::Failed { .. } => "other",
    };
    happened.iter().map(name).collect()
}

on_both_engines! {
    async fn seeds_and_the_share_go_first_and_the_rest_follows_when_the_copies_are_in_inboxes(world) {
        let mut world = world;
        started(&world, canary(0.1, 0.8), [2, 2]).await;
        let report = world.report("c").await.canary.unwrap();
        assert_eq!((report.sent, report.seeds, report.found, report.waits), (0, 4, 0, true));
        assert!(report.line().contains("until its seeds are sent"), "{}", report.line());
        let (people, seeds) = send_all(&mut world).await;
        assert!((5..40).contains(&people), "{people} of {PEOPLE} are a tenth");
        assert_eq!((seeds, report.people), (4, i64::try_from(people).unwrap()));
        assert_eq!(send_all(&mut world).await, (0, 0), "nothing beyond the share");
        assert_eq!(names(&world.step().await), [""; 0], "its copies are looked for");
        landed(&world, 0, &[Placement::Inbox, Placement::Promotions]).await;
        let report = world.report("c").await.canary.unwrap();
        let until = world.now().plus(WAIT).rfc3339();
        assert_eq!(report.line(), format!("{people} of {people} sent, 2 of 4 seeds found, until {until}"));
        landed(&world, 1, &[Placement::Inbox, Placement::Inbox]).await;
        assert_eq!(names(&world.step().await), ["passed"]);
        assert_eq!(names(&world.step().await), [""; 0], "once");
        assert_eq!(send_all(&mut world).await, (PEOPLE - people, 0));
        assert_eq!(names(&world.step().await), ["finished"]);
        let report = world.report("c").await;
        assert_eq!((report.accepted, report.seeds.accepted), (200, 4));
        let canary = report.canary.unwrap();
        assert_eq!((canary.decided, canary.waits, canary.by.as_deref()), (Some(CanaryAct::Passed), false, Some("canary")));
    }

    async fn a_canary_in_spam_holds_the_campaign_until_an_operator_says_otherwise(world) {
        let mut world = world;
        started(&world, canary(0.1, 0.8), [2, 3]).await;
        let (people, _) = send_all(&mut world).await;
        landed(&world, 0, &[Placement::Spam, Placement::Spam]).await;
        landed(&world, 1, &[Placement::Inbox; 3]).await;
        // Two nodes judge at once; it is held and told once.
        let (one, other) = tokio::join!(world.step(), world.step());
        let mut both = names(&one);
        both.extend(names(&other));
        assert_eq!(both, ["held"], "{one:?} {other:?}");
        assert_eq!(send_all(&mut world).await, (0, 0));
        let refused = resume(&world.store, "c", world.now()).await.unwrap_err();
        assert!(matches!(refused, Error::CanaryHolds { .. }), "{refused}");
        assert!(refused.to_string().contains("inbox 60 % of 5 copies"), "{refused}");
        // A pause in between is no way round it.
        pause(&world.store, "c", world.now()).await.unwrap();
        resume(&world.store, "c", world.now()).await.unwrap();
        assert_eq!(send_all(&mut world).await, (0, 0));
        assert_eq!(names(&world.step().await), ["held"]);
        let word = ("anna", Some("our newsletter looks like that"));
        resume_anyway(&world.store, "c", word, world.now()).await.unwrap();
        let story = world.story("p0@gmail.com", "c").await.words.join("\n");
        assert!(story.contains("canary waived by anna: our newsletter looks like that (inbox 60 %"), "{story}");
        assert_eq!(names(&world.step().await), [""; 0], "it is not judged again");
        assert_eq!(send_all(&mut world).await, (PEOPLE - people, 0));
        let canary = world.report("c").await.canary.unwrap();
        assert_eq!((canary.decided, canary.by.as_deref()), (Some(CanaryAct::Waived), Some("anna")));
    }

    async fn what_is_not_found_when_the_wait_is_over_is_missing_and_found_later_it_counts(world) {
        let mut world = world;
        started(&world, canary(0.0, 0.8), [4, 0]).await;
        assert_eq!(send_all(&mut world).await, (0, 4), "seeds alone go first");
        landed(&world, 0, &[Placement::Inbox; 3]).await;
        world.advance(WAIT - Duration::from_millis(1));
        assert_eq!(names(&world.step().await), [""; 0]);
        world.advance(Duration::from_millis(1));
        assert_eq!(names(&world.step().await), ["held"]);
        landed(&world, 0, &[Placement::Inbox; 4]).await;
        assert_eq!(names(&world.step().await), [""; 0], "a held campaign waits for its operator");
        resume(&world.store, "c", world.now()).await.unwrap();
        assert_eq!(send_all(&mut world).await, (PEOPLE, 0));
    }

    async fn scheduling_a_canary_without_seeds_warns(world) {
        world.subscribe_many("all", 5).await;
        let codes = async |canary: Option<Canary>| -> Vec<&'static str> {
            let new = world.campaign_with("c", |s| s.canary = canary);
            let now = world.now();
            let scheduled = schedule(&world.store, &world.setup, &new, now, now).await.unwrap();
            scheduled.findings.iter().map(|f| f.code).collect()
        };
        assert!(codes(Some(canary(0.1, 0.8))).await.contains(&"canary_few_seeds"));
        assert!(!codes(None).await.contains(&"canary_few_seeds"));
    }

    async fn without_seeds_enough_the_rest_follows_with_a_warning(world) {
        let mut world = world;
        started(&world, canary(0.1, 0.8), [0, 1]).await;
        let (people, seeds) = send_all(&mut world).await;
        landed(&world, 1, &[Placement::Spam]).await;
        assert_eq!((seeds, names(&world.step().await)), (1, vec!["warned"]));
        assert_eq!(send_all(&mut world).await, (PEOPLE - people, 0));
        let line = world.report("c").await.canary.unwrap().line();
        assert!(line.contains("1 seeds; fewer than 4 prove nothing"), "{line}");
    }

    async fn a_campaign_that_waits_for_its_canary_is_as_it_was_after_a_crash(world) {
        let mut world = world;
        started(&world, canary(0.1, 0.8), [4, 0]).await;
        let rows = world.lease(500).await;
        let people = rows.iter().filter(|(row, _)| World::is_audience(row)).count();
        world.settle(&rows, &Settled::Accepted).await;
        // Another process sees the same rank limit, the same wait and the same verdict.
        let limit = World::elsewhere(world.url(), async |store| {
            let id = store.campaign("c").await.unwrap().campaign.id;
            store.canary(id).await.unwrap().rank_limit
        });
        assert_eq!(limit, Some(canary(0.1, 0.8).rank_limit()));
        landed(&world, 0, &[Placement::Inbox; 4]).await;
        assert_eq!(names(&world.step().await), ["passed"]);
        assert_eq!(send_all(&mut world).await, (PEOPLE - people, 0));
    }

    async fn a_relay_that_is_filed_to_spam_leaves_the_provider_to_the_other(world) {
        let mut world = world;
        world.subscribe_many("all", 50).await;
        started(&world, canary(0.0, 0.5), [4, 16]).await;
        assert_eq!(send_all(&mut world).await, (0, 20));
        landed(&world, 0, &[Placement::Spam; 4]).await;
        landed(&world, 1, &[Placement::Inbox; 16]).await;
        let happened = world.step().await;
        assert_eq!(names(&happened), ["braked", "passed"], "{happened:?}");
        let [Happened::Braked { relay, provider, why, .. }, ..] = &happened[..] else { panic!("{happened:?}") };
        assert_eq!((relay.as_str(), *provider), ("ses-1", MailboxProvider::Google));
        assert!(why.contains("inbox 0 % of 4 copies"), "{why}");
        let brakes = world.store.brakes(world.now()).await.unwrap();
        assert_eq!((brakes.len(), brakes[0].by.as_str()), (1, "placement"));
        assert_eq!(brakes[0].until, world.now().plus(Duration::from_secs(6 * 3600)));
        let first = world.lease_on(0, 500).await;
        assert!(first.iter().all(|(row, _)| row.provider == MailboxProvider::Other));
        let second = world.lease_on(1, 500).await;
        assert_eq!((first.len(), second.len()), (50, PEOPLE), "the braked share goes through the other");
        world.settle(&first, &Settled::Accepted).await;
        world.settle(&second, &Settled::Accepted).await;
        assert_eq!(names(&world.step().await), ["finished"]);
        // What the report's page draws: every accepted recipient in its stretch of time and at its provider, no seed.
        let id = world.store.campaign("c").await.unwrap().campaign.id;
        let times = world.store.accepted_over_time(id, 60).await.unwrap().unwrap();
        assert_eq!((times.slots.iter().sum::<i64>(), times.slots.len()), (250, 1), "{times:?}");
        assert_eq!((times.from, times.to, times.step_ms), (world.now(), world.now(), 1));
        let states = world.store.states_by_provider(id).await.unwrap();
        let accepted = DeliveryState::Accepted;
        let expected = [(MailboxProvider::Other, accepted, 50), (MailboxProvider::Google, accepted, 200)];
        assert_eq!((states.as_slice(), world.store.opted_out(id).await.unwrap()), (&expected[..], 0));
    }

    async fn two_of_three_in_spam_brake_when_the_campaign_before_says_the_same(world) {
        let mut world = world;
        started_as(&world, "before", canary(0.0, 0.5), [3, 0]).await;
        send_all(&mut world).await;
        landed_as(&world, "before", 0, &[Placement::Inbox, Placement::Spam, Placement::Spam]).await;
        assert_eq!(names(&world.step().await), ["warned"], "three prove nothing");
        send_all(&mut world).await;
        assert_eq!(names(&world.step().await), ["finished"]);
        world.advance(Duration::from_secs(3600));
        started(&world, canary(0.0, 0.5), [3, 0]).await;
        send_all(&mut world).await;
        landed(&world, 0, &[Placement::Spam, Placement::Spam, Placement::Pending]).await;
        let happened = world.step().await;
        assert_eq!(names(&happened), ["braked"], "{happened:?}");
        let [Happened::Braked { why, .. }] = &happened[..] else { panic!("{happened:?}") };
        assert!(why.contains("inbox 20 % of 5 copies"), "{why}");
        assert_eq!(names(&world.step().await), [""; 0], "once");
    }

    async fn where_no_other_relay_can_take_over_it_is_slowed_and_the_operator_lifts_it(world) {
        let mut world = world;
        let (one, two) = (world.relay(0), world.relay(1));
        let until = Timestamp(i64::MAX);
        let brake = Brake { relay: Some(two), provider: None, until, reason: "ours".into(), by: "operator".into() };
        world.store.set_brake(&brake, world.now()).await.unwrap();
        started(&world, canary(0.0, 0.2), [4, 0]).await;
        send_all(&mut world).await;
        landed(&world, 0, &[Placement::Spam; 4]).await;
        assert_eq!(names(&world.step().await), ["braked", "held"]);
        resume_anyway(&world.store, "c", ("anna", None), world.now()).await.unwrap();
        assert_eq!(send_all(&mut world).await, (0, 0), "it rests");
        world.advance(Duration::from_secs(9 * 60));
        world.step().await;
        assert_eq!(world.send(5, &Settled::Accepted).await, 5, "one minute of ten it sends");
        world.advance(Duration::from_secs(60));
        assert_eq!(names(&world.step().await), [""; 0]);
        assert_eq!(world.send(5, &Settled::Accepted).await, 0, "and rests again");
        world.store.clear_brakes(one).await.unwrap();
        world.step().await;
        assert_eq!(world.send(5, &Settled::Accepted).await, 5, "the operator's word stands");
    }
}
