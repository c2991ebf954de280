//! Canaries and brakes by placement: what goes first, what the verdict does, who serves a provider instead.

use crate::on_both_engines;
use crate::seeds::seed;
use crate::world::World;
use postroad_campaign::{
    CanaryAct, Counting, Error, Happened, pause, report, resume, resume_anyway, schedule,
};
use postroad_model::canary::Canary;
use postroad_model::delivery::Role;
use postroad_model::placement::Placement;
use postroad_model::suppression::{NewSuppression, SuppressionReason, SuppressionScope};
use postroad_model::{Clock, MailboxProvider};
use postroad_store::{Authentication, NewSeedCopy, SeedLook, Settled};
use postroad_testkit::builders;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(1800);
pub const PEOPLE: usize = 200;

pub fn canary(share: f64, min_inbox: f64) -> Canary {
    Canary { share, wait: WAIT, min_inbox }
}

/// A campaign `c` to people at Google with a canary and so many seeds for each lane, scheduled and started.
pub async fn started(world: &World, canary: Canary, seeds: [usize; 2]) {
    started_as(world, "c", canary, seeds).await;
}

pub async fn started_as(world: &World, name: &str, canary: Canary, seeds: [usize; 2]) {
    begin(world, name, Some(canary), seeds).await;
}

pub async fn begin(world: &World, name: &str, canary: Option<Canary>, seeds: [usize; 2]) {
    let names: Vec<String> = (0..PEOPLE).map(|i| format!("p{i}@gmail.com")).collect();
    let people: Vec<_> = names.iter().map(|a| (a.as_str(), serde_json::json!({}))).collect();
    world.subscribe("all", &people).await;
    let now = world.now();
    let new = world.campaign_with(name, |s| s.canary = canary);
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
pub async fn send_all(world: &mut World) -> (usize, usize) {
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
pub async fn landed(world: &World, lane: usize, placements: &[Placement]) {
    landed_as(world, "c", lane, placements).await;
}

pub async fn landed_as(world: &World, name: &str, lane: usize, placements: &[Placement]) {
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

pub fn names(happened: &[Happened]) -> Vec<&'static str> {
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

    async fn a_glance_takes_a_canarys_numbers_from_the_counters_and_counts_no_rows(world) {
        let mut world = world;
        started(&world, canary(0.1, 0.8), [2, 2]).await;
        let sent = async |world: &World, counting| {
            let (store, setup) = (&world.store, &world.setup);
            let report = report(store, setup, "c", counting, world.now()).await.unwrap();
            let canary = report.canary.unwrap();
            (canary.sent, canary.until)
        };
        let rows = world.lease_on(0, 5).await;
        world.settle(&rows, &Settled::Accepted).await;
        let people = rows.iter().filter(|(row, _)| row.role == Role::Audience).count();
        let people = i64::try_from(people).unwrap();
        assert!(people > 0, "{rows:?}");
        let counted = sent(&world, Counting::Rows).await;
        assert_eq!(counted.0, people);
        assert_eq!(sent(&world, Counting::Glance).await, counted);
        assert_eq!(sent(&world, Counting::Counters).await, counted);
        // Rows that end without a relay's answer are what only the rows can tell.
        let (reason, at) = (SuppressionReason::Manual, world.now());
        let everybody = (0..PEOPLE).map(|i| NewSuppression {
            address: builders::address(&format!("p{i}@gmail.com")),
            scope: SuppressionScope::All,
            reason,
            origin: "test".into(),
            at,
        });
        world.store.suppress_many(&everybody.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(sent(&world, Counting::Glance).await.0, people);
        assert_eq!(sent(&world, Counting::Counters).await.0, people);
        assert!(sent(&world, Counting::Rows).await.0 > people);
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
        landed(&world, 0, &[Placement::Inbox, Placement::Inbox, Placement::Inbox, Placement::Pending]).await;
        world.advance(WAIT - Duration::from_millis(1));
        assert_eq!(names(&world.step().await), [""; 0]);
        world.advance(Duration::from_millis(1));
        let happened = world.step().await;
        let [Happened::CanaryHeld { why, .. }] = &happened[..] else { panic!("{happened:?}") };
        assert!(why.starts_with("inbox 75 % of 4 copies"), "{why}");
        landed(&world, 0, &[Placement::Inbox; 4]).await;
        assert_eq!(names(&world.step().await), [""; 0], "a held campaign waits for its operator");
        resume(&world.store, "c", world.now()).await.unwrap();
        assert_eq!(send_all(&mut world).await, (PEOPLE, 0));
    }

    async fn a_mailbox_that_cannot_be_read_is_waited_for(world) {
        let mut world = world;
        started(&world, canary(0.0, 0.8), [4, 2]).await;
        assert_eq!(send_all(&mut world).await, (0, 6));
        landed(&world, 0, &[Placement::Inbox; 4]).await;
        landed(&world, 1, &[Placement::Unknown; 2]).await;
        world.advance(Duration::from_secs(15));
        assert_eq!(names(&world.step().await), [""; 0], "its next look may work");
        landed(&world, 1, &[Placement::Spam; 2]).await;
        let happened = world.step().await;
        let [Happened::CanaryHeld { why, .. }] = &happened[..] else { panic!("{happened:?}") };
        assert!(why.starts_with("inbox 67 % of 6 copies"), "{why}");
    }

    async fn a_copy_that_nobody_looked_for_is_not_missing(world) {
        let mut world = world;
        started(&world, canary(0.0, 0.8), [4, 2]).await;
        assert_eq!(send_all(&mut world).await, (0, 6));
        landed(&world, 0, &[Placement::Inbox; 4]).await;
        world.advance(WAIT);
        let happened = world.step().await;
        let [Happened::CanaryPassed { why, .. }] = &happened[..] else { panic!("{happened:?}") };
        assert!(why.starts_with("inbox 100 % of 4 copies"), "{why}");
    }

    async fn a_campaign_that_is_scheduled_anew_while_it_starts_begins_with_its_canary(world) {
        let mut world = world;
        world.subscribe_many("all", 400).await;
        let now = world.now();
        let plain = world.campaign_with("c", |s| s.canary = None);
        schedule(&world.store, &world.setup, &plain, now, now).await.unwrap();
        // The clock is read between the steps of the start: that is when the operator schedules it anew.
        let anew = world.campaign_with("c", |s| s.canary = Some(canary(0.1, 0.8)));
        let url = world.url().to_owned();
        let setup = world.setup.clone();
        let readings = std::sync::atomic::AtomicUsize::new(0);
        let clock = world.clock.clone();
        let reading = move || {
            let now = clock.now();
            if readings.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 5 {
                World::elsewhere(&url, async |store| schedule(&store, &setup, &anew, now, now).await.map(drop).unwrap());
            }
            now
        };
        let supervisor = postroad_campaign::Supervisor::new(world.node, None);
        supervisor.step(&world.store, &world.setup, &reading).await.unwrap();
        let stored = world.store.campaign("c").await.unwrap();
        assert_eq!(stored.campaign.settings.canary, Some(canary(0.1, 0.8)), "it was scheduled anew");
        world.step().await;
        world.step().await;
        assert!(world.store.campaign("c").await.unwrap().campaign.state.runs());
        let (people, _) = send_all(&mut world).await;
        assert!((10..80).contains(&people), "{people} of 400 are a tenth");
    }

    async fn seeds_beyond_the_canarys_follow_in_step_with_the_audience(world) {
        let mut world = world;
        started(&world, canary(0.1, 0.8), [12, 12]).await;
        let (people, seeds) = send_all(&mut world).await;
        assert_eq!(seeds, 20, "as many as its verdict and the alerts ask for");
        for lane in [0, 1] {
            landed(&world, lane, &[Placement::Inbox; 12]).await;
        }
        let report = world.report("c").await.canary.unwrap();
        assert_eq!((report.seeds, report.found), (20, 20));
        assert_eq!(names(&world.step().await), ["passed"]);
        world.step().await;
        let mut later = Vec::new();
        let mut sent = people;
        while sent < PEOPLE {
            let rows = world.lease_on(0, 60).await;
            sent += rows.iter().filter(|(row, _)| World::is_audience(row)).count();
            world.settle(&rows, &Settled::Accepted).await;
            let other = world.lease_on(1, 1).await;
            sent += other.iter().filter(|(row, _)| World::is_audience(row)).count();
            world.settle(&other, &Settled::Accepted).await;
            world.step().await;
            let id = world.store.campaign("c").await.unwrap().campaign.id;
            let copies = world.store.seed_copies(id).await.unwrap();
            later.push(copies.iter().filter(|c| c.released_at.is_some()).count());
        }
        assert!(later.windows(2).any(|w| w[0] < w[1]), "some follow while it runs: {later:?}");
        assert_eq!(later.last(), Some(&24));
        while names(&world.step().await) != ["finished"] {
            assert_ne!(send_all(&mut world).await, (0, 0));
        }
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

    async fn scheduling_a_canary_that_can_only_hold_warns(world) {
        let mut world = world;
        world.subscribe_many("all", 5).await;
        let name = |n| format!("s{n}");
        world.setup.seeds = (0..20).map(|n| seed(&name(n), MailboxProvider::Google)).collect();
        let codes = async |min_inbox: f64| -> Vec<&'static str> {
            let new = world.campaign_with("c", |s| s.canary = Some(canary(0.1, min_inbox)));
            let now = world.now();
            let scheduled = schedule(&world.store, &world.setup, &new, now, now).await.unwrap();
            scheduled.findings.iter().map(|f| f.code).collect()
        };
        assert!(!codes(0.8).await.contains(&"canary_cannot_prove"));
        assert!(codes(0.9).await.contains(&"canary_cannot_prove"));
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
}
