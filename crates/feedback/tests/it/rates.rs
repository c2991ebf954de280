//! Thresholds and rates: when an address is given up, a relay rests, a campaign is held.

use crate::on_both_engines;
use crate::world::{Sent, World};
use postroad_feedback::{Done, Permanence, ProviderWhat};
use postroad_model::MailboxProvider;
use postroad_model::campaign::{CampaignAct, CampaignState, HoldReason};
use postroad_model::feedback::{Act, Threshold};
use postroad_model::suppression::SuppressionReason;
use postroad_model::verdict::Reason;
use postroad_store::Settled;

fn people(n: usize, domain: &str) -> Vec<String> {
    (0..n).map(|i| format!("p{i}@{domain}")).collect()
}

/// Sends a campaign to so many people that somebody still waits, so that it runs on.
async fn running(world: &mut World, name: &str, people: &[String]) -> Sent {
    let mut all: Vec<&str> = people.iter().map(String::as_str).collect();
    all.push("later@example.vn");
    world.people(&all).await;
    let until = world.now().plus_ms(86_400_000);
    let later = Settled::PutBack { until, blocked: postroad_store::Blocked::No };
    world.send(name, &[("later@example.vn", later, 451, "4.3.0 later")]).await
}

async fn state(world: &World, name: &str) -> CampaignState {
    world.store.campaign(name).await.unwrap().campaign.state
}

fn bounce(words: &str) -> ProviderWhat {
    let (status, code, permanence) = (None, None, Permanence::Unsaid);
    ProviderWhat::Bounce { status, code, diagnostic: words.into(), permanence }
}

async fn complain(world: &World, sent: &Sent, who: &str) {
    let what = ProviderWhat::Complaint { kind: Some("abuse".into()) };
    assert_eq!(world.told(sent, who, what).await, Done::Recorded);
}

on_both_engines! {
    async fn too_many_complaints_hold_a_campaign_once_and_resume_goes_on(world) {
        let all = people(120, "example.org");
        let sent = running(&mut world, "one", &all).await;
        for who in &all[..2] {
            complain(&world, &sent, who).await;
        }
        world.sweep().await;
        assert!(state(&world, "one").await.runs());
        complain(&world, &sent, &all[2]).await;
        world.sweep().await;
        let held = state(&world, "one").await;
        let CampaignState::Held { reason: HoldReason::Brake(why), until: None } = held else {
            panic!("{held:?}")
        };
        assert!(why.starts_with("3 complaints in 120 messages (2.50 %"), "{why}");
        let id = world.store.campaign("one").await.unwrap().campaign.id;
        let now = world.now();
        world.store.apply_campaign_act(id, &CampaignAct::Resume, now).await.unwrap();
        world.sweep().await;
        assert!(state(&world, "one").await.runs(), "what is past does not hold it again");
    }

    async fn a_provider_that_refuses_too_much_rests_and_the_campaign_goes_on(world) {
        let mut all = people(130, "yahoo.com");
        all.extend(people(400, "example.org"));
        let refused: Vec<_> = all[..20]
            .iter()
            .map(|a| (a.as_str(), Settled::Rejected, 550, "5.1.1 User unknown"))
            .collect();
        let mut named: Vec<&str> = all.iter().map(String::as_str).collect();
        named.push("later@example.vn");
        world.people(&named).await;
        let until = world.now().plus_ms(86_400_000);
        let later = Settled::PutBack { until, blocked: postroad_store::Blocked::No };
        let mut answers = refused;
        answers.push(("later@example.vn", later, 451, "4.3.0 later"));
        world.send("one", &answers).await;
        world.sweep().await;
        assert!(state(&world, "one").await.runs());
        let brakes = world.store.brakes(world.now()).await.unwrap();
        assert_eq!(brakes.len(), 1);
        assert_eq!((brakes[0].relay, brakes[0].provider), (Some(world.relay), Some(MailboxProvider::Yahoo)));
        assert!(brakes[0].reason.starts_with("20 hard bounces in 130 messages"), "{}", brakes[0].reason);
        world.advance_hours(5);
        world.sweep().await;
        assert!(world.store.brakes(world.now()).await.unwrap().is_empty(), "counted anew");
    }

    async fn a_relay_with_a_bad_name_rests_for_that_provider_and_nobody_is_suppressed(world) {
        let all = people(4, "yahoo.com");
        let sent = running(&mut world, "one", &all).await;
        for (n, who) in all.iter().enumerate() {
            let words = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
            assert_eq!(world.told(&sent, who, bounce(words)).await, Done::Recorded);
            let rests = !world.store.brakes(world.now()).await.unwrap().is_empty();
            assert_eq!(rests, n >= 2, "after {n}");
            assert_eq!(world.suppressed(who).await, None);
        }
    }

    async fn a_full_mailbox_is_given_up_after_three_times_in_two_campaigns(world) {
        const AN: &str = "an@example.vn";
        world.people(&[AN]).await;
        for (n, name) in ["one", "two", "three"].into_iter().enumerate() {
            assert_eq!(world.suppressed(AN).await, None, "before {name}");
            let sent = world.send(name, &[]).await;
            let full = bounce("552 5.2.2 Mailbox full");
            assert_eq!(world.told(&sent, AN, full).await, Done::Recorded, "{n}");
            world.advance_hours(24);
        }
        assert_eq!(world.suppressed(AN).await, Some(SuppressionReason::RepeatedBounces));
    }

    async fn a_relay_without_a_name_rests_as_a_whole(world) {
        let mut all = people(2, "yahoo.com");
        all.extend(people(2, "example.org"));
        let sent = running(&mut world, "one", &all).await;
        for (n, who) in all.iter().enumerate() {
            let words = "550 5.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]";
            assert_eq!(world.told(&sent, who, bounce(words)).await, Done::Recorded);
            let pause = world.store.lanes().await.unwrap()[0].pause.clone();
            assert_eq!(pause.is_some(), n >= 2, "after {n}: {pause:?}");
            assert_eq!(world.suppressed(who).await, None);
        }
        let pause = world.store.lanes().await.unwrap()[0].pause.clone().unwrap();
        assert!(pause.reason.starts_with("no_ptr 3 times since"), "{}", pause.reason);
        assert_eq!(pause.until, world.now().plus_ms(3_600_000));
    }

    async fn a_domain_that_fails_authentication_stops_with_all_its_campaigns(world) {
        let within = std::time::Duration::from_secs(3_600);
        world.with_policy(|policy| {
            policy.acts.insert(Reason::AuthFail, Act::StopDomain(Threshold::after(2, within)));
        });
        let all = people(3, "example.org");
        running(&mut world, "other", &all).await;
        let sent = running(&mut world, "one", &all).await;
        let words = "550 5.7.26 This message does not pass authentication checks (SPF and DKIM both do not pass)";
        world.told(&sent, &all[0], bounce(words)).await;
        assert!(state(&world, "one").await.runs());
        world.told(&sent, &all[1], bounce(words)).await;
        for name in ["one", "other"] {
            let held = state(&world, name).await;
            assert!(matches!(held, CampaignState::Held { .. }), "{name}: {held:?}");
        }
    }

    async fn a_reason_with_nothing_to_do_is_recorded_only(world) {
        world.with_policy(|policy| {
            policy.acts.insert(Reason::BadMailbox, Act::Nothing);
        });
        world.people(&["an@example.vn"]).await;
        let sent = world.send("one", &[]).await;
        let gone = bounce("550 5.1.1 User unknown");
        assert_eq!(world.told(&sent, "an@example.vn", gone).await, Done::Recorded);
        assert_eq!(world.suppressed("an@example.vn").await, None);
        assert_eq!(world.tallies().await[0].n, 1);
    }
}
