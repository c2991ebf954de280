//! Histories that once went wrong.

use crate::ops::{Op, refuse};
use crate::scene::{Scene, relay};
use crate::script::Trouble;
use crate::sim::{Sim, SimSettings};
use postroad_model::delivery::DeliveryState;
use postroad_model::limit::{Limit, LimitUnit};
use postroad_model::relay::Relay;
use postroad_model::reply::Phase;
use postroad_testkit::builders;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn limit(name: &str, amount: i64, secs: u64) -> Limit {
    Limit::rolling(name, amount, LimitUnit::Recipients, Duration::from_secs(secs))
}

/// One relay with one connection, so that each dot has an envelope behind it.
fn one_connection(limits: Vec<Limit>) -> Relay {
    let mut relay = relay("a", "account", limits);
    relay.connections.max_connections = 1;
    relay.connections.max_messages_per_connection = None;
    relay
}

async fn sim(relay: Relay, people: u32, seed: u64) -> Sim {
    let scene = Scene::new(vec![relay], people, builders::campaign_settings()).await;
    Sim::new(scene, SimSettings::new(seed)).await
}

/// The row behind was taken for the row of the dot: one stayed Leased, the other Sending.
#[tokio::test]
async fn a_row_behind_a_dot_that_was_not_written_goes_back_alone() {
    for seed in 0..10 {
        let mut sim = sim(one_connection(vec![limit("day", 1_000, 86_400)]), 12, seed).await;
        sim.play(&[Op::RelayTroubles(0, vec![Trouble::CutBeforeDot; 4])]).await;
        sim.run_for(Duration::from_secs(60)).await;
        sim.finish(DAY).await;
        assert_eq!(sim.count(DeliveryState::Accepted).await, 12);
    }
}

/// An early reply that crossed a permit left the envelope behind that dot in nobody's hands.
#[tokio::test]
async fn an_early_reply_that_crosses_a_permit_frees_the_row_behind() {
    for seed in 0..40 {
        let mut sim = sim(one_connection(vec![limit("day", 1_000, 86_400)]), 12, seed).await;
        let early = refuse(Phase::Body, 451, "4.3.0 not now");
        sim.play(&[Op::SlowReply(0, 16), Op::RelayTroubles(0, vec![early; 8])]).await;
        sim.run_for(Duration::from_secs(60)).await;
        sim.finish(DAY).await;
        assert_eq!(sim.count(DeliveryState::Accepted).await, 12);
    }
}

/// A process that was killed had sent since the last heartbeat, and the pacer of the next one knew only of that.
#[tokio::test]
async fn a_pacer_waits_for_what_a_killed_process_may_have_sent() {
    let mut sim = sim(one_connection(vec![limit("minute", 100, 60)]), 300, 1).await;
    let second = |n| Op::AdvanceTime(Duration::from_secs(n));
    let crash = || Op::Crash { restart_ms: 300 };
    // One burst fits into the limit, each further one passes it.
    let kills = [second(100), crash(), second(10), crash(), second(10), crash(), second(90)];
    sim.play(&[Op::SlowReply(0, 4)]).await;
    sim.play(&kills).await;
    sim.oracle.judge_quotas();
    assert!(sim.oracle.taken("group:account").len() > 150, "the limit is made use of");
    sim.finish(DAY).await;
}

/// A lease that was asked for in time and served too late was told that the lane is lost; nobody took it ever.
#[tokio::test]
async fn a_lane_that_slept_over_its_lease_goes_on_when_nobody_took_it() {
    for ms in 0..8 {
        let mut sim = sim(one_connection(Vec::new()), 12, ms).await;
        let frozen_ms = 700_000;
        let awhile = Op::AdvanceTime(Duration::from_millis(ms));
        sim.play(&[awhile, Op::LeaseLost { frozen_ms, other_holds_ms: 0 }]).await;
        sim.run_for(Duration::from_secs(60)).await;
        sim.finish(DAY).await;
        assert_eq!(sim.count(DeliveryState::Accepted).await, 12);
    }
}

/// In the last tenth of each sub-window a lane leased rows that lapsed at once, and leased them again.
#[tokio::test]
async fn nothing_is_leased_that_lapses_at_once() {
    let mut sim = sim(one_connection(vec![limit("ten", 50, 600)]), 60, 3).await;
    sim.play(&[Op::AdvanceTime(Duration::from_secs(3_600))]).await;
    assert_eq!(sim.count(DeliveryState::Accepted).await, 60);
    assert!(sim.commits < 200, "{} commits for 60 people", sim.commits);
}

/// Rows whose lease was under way when the relay asked for a pause were offered all the same.
#[tokio::test]
async fn a_pause_holds_what_is_leased_meanwhile() {
    for seed in 0..20 {
        let scene_relay = relay("a", "account", vec![limit("day", 1_000, 86_400)]);
        let mut sim = sim(scene_relay, 40, seed).await;
        let slower = refuse(Phase::RcptTo, 451, "4.7.90 too fast");
        let ops =
            [Op::AdvanceTime(Duration::from_millis(60)), Op::RelayTroubles(0, vec![slower; 2])];
        sim.play(&ops).await;
        sim.run_for(Duration::from_secs(60)).await;
        sim.finish(DAY).await;
        assert_eq!(sim.count(DeliveryState::Accepted).await, 40);
    }
}
