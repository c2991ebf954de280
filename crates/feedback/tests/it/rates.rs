//! Thresholds and rates: when an address is given up, a relay rests, a campaign is held.

use crate::on_both_engines;
use crate::world::{Sent, World};
use postroad_feedback::{Done, Permanence, ProviderWhat};
use postroad_model::MailboxProvider;
use postroad_model::campaign::{CampaignAct, CampaignState, HoldReason};
use postroad_model::suppression::SuppressionReason;
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
}
