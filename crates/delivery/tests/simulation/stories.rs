//! Named histories: what the project promises, told with its own figures.

use crate::ops::Op;
use crate::scene::{Scene, gmail, relay};
use crate::sim::{Sim, SimSettings};
use postroad_model::delivery::DeliveryState;
use postroad_model::limit::{Limit, LimitUnit};
use postroad_testkit::builders;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Two Gmail accounts of 500 a day and more people than they can reach in a month.
#[tokio::test]
async fn a_month_of_two_gmail_accounts_uses_their_quota_and_never_passes_it() {
    let mut relays = vec![gmail("anna", 500), gmail("ben", 500)];
    for relay in &mut relays {
        // Many at once, so that they share commits: a month in seconds.
        relay.connections.max_connections = 10;
    }
    let scene = Scene::new(relays, 31_000, builders::campaign_settings()).await;
    let settings = SimSettings { lease: DAY / 4, ..SimSettings::new(1) };
    let mut sim = Sim::new(scene, settings).await;
    for at in 0..2 {
        sim.play(&[Op::SlowReply(at, 1)]).await;
    }
    sim.run_for(30 * DAY).await;
    sim.oracle.judge_quotas();
    for scope in ["group:anna", "group:ben"] {
        let taken = sim.oracle.taken(scope).len();
        assert!(taken >= 30 * 500 * 95 / 100, "{scope} took only {taken} in 30 days");
    }
    assert!(sim.count(DeliveryState::Scheduled).await > 0, "somebody still waits");
    sim.drain().await;
    sim.run_for(Duration::from_secs(120)).await;
    sim.judge().await;
}

#[tokio::test]
async fn nothing_goes_wrong_when_nothing_goes_wrong() {
    let hour = Limit::rolling("hour", 30, LimitUnit::Recipients, Duration::from_secs(3_600));
    let relays = vec![relay("a", "account", vec![hour.clone()]), relay("b", "account", vec![hour])];
    let scene = Scene::new(relays, 100, builders::campaign_settings()).await;
    let mut sim = Sim::new(scene, SimSettings::new(2)).await;
    sim.play(&[Op::AdvanceTime(Duration::from_secs(60))]).await;
    assert_eq!(sim.oracle.taken("group:account").len(), 30, "the first hour's quota goes at once");
    sim.finish(DAY).await;
    assert_eq!(sim.count(DeliveryState::Accepted).await, 100);
}

#[tokio::test]
async fn a_connection_is_opening_then_busy_then_idle_and_then_gone() {
    let mut relay = relay("a", "account", Vec::new());
    relay.connections.max_connections = 1;
    let scene = Scene::new(vec![relay], 3, builders::campaign_settings()).await;
    let mut sim = Sim::new(scene, SimSettings::new(3)).await;
    sim.play(&[Op::SlowReply(0, 500)]).await;
    let mut seen = Vec::new();
    for _ in 0..1_000 {
        sim.run_for(Duration::from_millis(100)).await;
        let [(_, open)] = sim.process.core.connections()[..] else { continue };
        let open = (open.opening, open.busy, open.idle);
        if seen.last() != Some(&open) {
            seen.push(open);
        }
    }
    let first = |state| seen.iter().position(|s| *s == state);
    let order = [(1, 0, 0), (0, 1, 0), (0, 0, 1)].map(first);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&(0, 0, 0)), "{seen:?}");
    assert_eq!(sim.count(DeliveryState::Accepted).await, 3);
}
