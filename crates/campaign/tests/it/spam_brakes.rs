//! Brakes by placement, and an operator's word against a brake: who serves a provider instead, and what counts as evidence.

use crate::canaries::{
    PEOPLE, begin, canary, landed, landed_as, names, send_all, started, started_as,
};
use crate::on_both_engines;
use crate::world::World;
use postroad_campaign::{Happened, resume_anyway};
use postroad_model::campaign::{CampaignAct, HoldReason};
use postroad_model::delivery::DeliveryState;
use postroad_model::placement::Placement;
use postroad_model::{MailboxProvider, Timestamp};
use postroad_store::{Brake, Settled};
use std::time::Duration;

on_both_engines! {
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

    async fn one_copy_in_spam_brakes_by_what_the_campaign_before_says_and_never_alone(world) {
        let mut world = world;
        started_as(&world, "before", canary(0.0, 0.5), [3, 1]).await;
        send_all(&mut world).await;
        landed_as(&world, "before", 0, &[Placement::Inbox, Placement::Spam, Placement::Spam]).await;
        landed_as(&world, "before", 1, &[Placement::Inbox]).await;
        let happened = world.step().await;
        assert!(!names(&happened).contains(&"braked"), "{happened:?}");
        send_all(&mut world).await;
        world.step().await;
        world.advance(Duration::from_secs(3600));
        started(&world, canary(0.0, 0.5), [1, 1]).await;
        send_all(&mut world).await;
        landed(&world, 0, &[Placement::Spam]).await;
        landed(&world, 1, &[Placement::Spam]).await;
        let happened = world.step().await;
        let why = |h: &Happened| {
            if let Happened::Braked { why, .. } = h { Some(why.clone()) } else { None }
        };
        let braked: Vec<String> = happened.iter().filter_map(why).collect();
        assert_eq!(braked.len(), 1, "the second relay has one good copy and one that is not: {happened:?}");
        assert!(braked[0].contains("inbox 25 % of 4 copies"), "{happened:?}");
    }

    async fn a_campaign_without_a_canary_is_braked_below_what_the_operator_wrote(world) {
        let mut world = world;
        let brakes = async |world: &mut World, name: &str| {
            begin(world, name, None, [12, 12]).await;
            // Whoever is left sends, a few at a time; each copy through the first relay lands in spam.
            let mut braked = Vec::new();
            for _ in 0..80 {
                for lane in [0, 1] {
                    let rows = world.lease_on(lane, 5).await;
                    world.settle(&rows, &Settled::Accepted).await;
                }
                landed_as(world, name, 0, &[Placement::Spam; 12]).await;
                let happened = world.step().await;
                braked.extend(happened.iter().filter(|h| matches!(h, Happened::Braked { .. })).cloned());
                if names(&happened).contains(&"finished") {
                    break;
                }
            }
            braked
        };
        assert_eq!(brakes(&mut world, "first").await, [], "nobody wrote one");
        world.setup.min_inbox = Some(0.5);
        world.advance(Duration::from_secs(30 * 3600));
        let braked = brakes(&mut world, "second").await;
        let [Happened::Braked { relay, why, .. }] = &braked[..] else { panic!("{braked:?}") };
        assert_eq!(relay, "ses-1");
        assert!(why.contains("of 4 copies") && why.ends_with("min_inbox is 50 %"), "{why}");
    }

    async fn what_set_a_brake_is_evidence_once_in_all_campaigns(world) {
        let mut world = world;
        for name in ["one", "two"] {
            started_as(&world, name, canary(0.0, 0.5), [3, 0]).await;
        }
        send_all(&mut world).await;
        landed_as(&world, "one", 0, &[Placement::Spam, Placement::Inbox, Placement::Inbox]).await;
        landed_as(&world, "two", 0, &[Placement::Spam, Placement::Spam, Placement::Inbox]).await;
        // Two of three, and of six three: not yet.
        assert!(!names(&world.step().await).contains(&"braked"));
        landed_as(&world, "one", 0, &[Placement::Spam; 3]).await;
        assert!(names(&world.step().await).contains(&"braked"));
        world.store.clear_brakes(world.relay(0)).await.unwrap();
        world.advance(Duration::from_secs(3600));
        for name in ["three", "four"] {
            started_as(&world, name, canary(0.0, 0.5), [3, 0]).await;
        }
        send_all(&mut world).await;
        landed_as(&world, "three", 0, &[Placement::Spam, Placement::Spam, Placement::Inbox]).await;
        let happened = world.step().await;
        assert!(!names(&happened).contains(&"braked"), "the old ones were judged: {happened:?}");
    }

    async fn a_stop_becomes_slow_when_nobody_is_left_to_take_over(world) {
        let mut world = world;
        started(&world, canary(0.0, 0.2), [4, 4]).await;
        send_all(&mut world).await;
        landed(&world, 0, &[Placement::Spam; 4]).await;
        landed(&world, 1, &[Placement::Inbox; 4]).await;
        assert_eq!(names(&world.step().await), ["braked", "passed"]);
        let end = world.now().plus(Duration::from_secs(6 * 3600));
        assert_eq!(world.store.brakes(world.now()).await.unwrap()[0].until, end);
        let two = Some(world.relay(1));
        let until = Timestamp(i64::MAX);
        let brake = Brake { relay: two, provider: None, until, reason: "ours".into(), by: "operator".into() };
        world.store.set_brake(&brake, world.now()).await.unwrap();
        world.advance(Duration::from_secs(60));
        let happened = world.step().await;
        let [Happened::Braked { why, .. }] = &happened[..] else { panic!("{happened:?}") };
        assert!(why.contains("slowed, not stopped"), "{why}");
        assert_eq!(names(&world.step().await), [""; 0], "once");
        assert_eq!(send_all(&mut world).await, (0, 0), "it rests");
        world.advance(Duration::from_secs(9 * 60));
        assert_eq!(names(&world.step().await), [""; 0], "the same copies are not judged again");
        assert_eq!(world.send(5, &Settled::Accepted).await, 5, "one minute of ten it sends");
        world.advance(Duration::from_secs(60));
        world.step().await;
        assert_eq!(world.send(5, &Settled::Accepted).await, 0, "and rests again");
    }

    async fn a_resume_against_a_brake_is_recorded_with_its_reason(world) {
        world.subscribe_many("all", 5).await;
        world.start(&world.campaign("c")).await;
        let id = world.store.campaign("c").await.unwrap().campaign.id;
        let hold = CampaignAct::Hold { reason: HoldReason::Brake("complaints 0.4 %".into()), until: None };
        world.store.apply_campaign_act(id, &hold, world.now()).await.unwrap();
        let word = ("anna", Some("one angry list, removed"));
        resume_anyway(&world.store, "c", word, world.now()).await.unwrap();
        assert!(world.store.campaign("c").await.unwrap().campaign.state.runs());
        let story = world.story("p0@example.org", "c").await.words.join("\n");
        let told = "resumed anyway by anna: one angry list, removed (it was stopped by a brake: complaints 0.4 %)";
        assert!(story.contains(told), "{story}");
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
