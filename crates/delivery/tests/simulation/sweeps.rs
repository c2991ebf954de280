//! Each fault at many moments of the same history: what random histories meet once in thousands.

use crate::ops::{Op, refuse, says};
use crate::scene::{Scene, relay};
use crate::script::Trouble;
use crate::sim::{Sim, SimSettings};
use postroad_model::delivery::DeliveryState;
use postroad_model::limit::{Limit, LimitUnit};
use postroad_model::reply::Phase;
use postroad_testkit::builders;
use std::time::Duration;

/// The lease of `SimSettings`.
const LEASE_MS: i64 = 600_000;

async fn scene(people: u32) -> Scene {
    let ten = Limit::rolling("ten", 600, LimitUnit::Recipients, Duration::from_secs(600));
    let minute = Limit::rolling("minute", 120, LimitUnit::Recipients, Duration::from_secs(60));
    let limits = vec![ten, minute];
    let relays = vec![relay("a", "account", limits.clone()), relay("b", "account", limits)];
    Scene::new(relays, people, builders::campaign_settings()).await
}

/// Plays the ops at one moment of a small campaign after another, and judges each history.
async fn sweep(ops: &[Op], moments: impl Iterator<Item = u64>) {
    let mut reached = 0;
    for ms in moments {
        let mut sim = Sim::new(scene(12).await, SimSettings::new(ms)).await;
        sim.play(&[Op::AdvanceTime(Duration::from_millis(ms))]).await;
        reached += sim.count(DeliveryState::Leased).await + sim.count(DeliveryState::Sending).await;
        sim.play(ops).await;
        // All is well after a while only.
        sim.play(&[Op::AdvanceTime(Duration::from_secs(20))]).await;
        sim.finish(Duration::from_secs(86_400)).await;
    }
    assert!(reached > 0, "no moment met a row on its way");
}

fn dense() -> impl Iterator<Item = u64> {
    (4..160).step_by(6)
}

#[tokio::test]
async fn a_crash_at_any_moment_loses_nothing_and_repeats_nothing() {
    sweep(&[Op::Crash { restart_ms: 300 }], dense()).await;
}

#[tokio::test]
async fn a_stop_at_any_moment_comes_to_its_end() {
    sweep(&[Op::Restart], dense()).await;
}

#[tokio::test]
async fn a_sleeper_that_wakes_beyond_its_lease_sends_no_dot() {
    let frozen_ms = LEASE_MS + 30_000;
    sweep(&[Op::LeaseLost { frozen_ms, other_holds_ms: 5_000 }], dense()).await;
    sweep(&[Op::LeaseLost { frozen_ms, other_holds_ms: 0 }], dense()).await;
    // Beyond the permits, within the lease.
    sweep(&[Op::LeaseLost { frozen_ms: LEASE_MS - 3_000, other_holds_ms: 0 }], dense()).await;
    let meanwhile = Duration::from_millis(LEASE_MS as u64 + 30_200);
    let sleeps = Op::LeaseLost { frozen_ms, other_holds_ms: 5_000 };
    sweep(&[sleeps, Op::AdvanceTime(meanwhile), Op::Restart], dense()).await;
}

#[tokio::test]
async fn a_store_that_is_away_at_any_moment_delays_and_does_no_more() {
    sweep(&[Op::StoreAway(Duration::from_secs(3))], dense()).await;
    sweep(&[Op::StoreAway(Duration::from_secs(900))], dense()).await;
}

#[tokio::test]
async fn answers_of_commits_may_be_lost() {
    sweep(&[Op::AnswersLost(Some(2))], dense()).await;
}

#[tokio::test]
async fn a_suppression_at_any_moment_is_kept() {
    let all: Vec<Op> = (0..12).map(Op::Suppress).collect();
    sweep(&all, dense()).await;
}

#[tokio::test]
async fn a_pause_at_any_moment_stops_and_a_cancel_ends() {
    let pause = [Op::Pause, Op::AdvanceTime(Duration::from_secs(60))];
    sweep(&pause, dense()).await;
    sweep(&[Op::Cancel], dense()).await;
}

#[tokio::test]
async fn a_connection_may_end_at_any_place_of_its_dialogue() {
    let troubles = [
        vec![Trouble::CutBeforeDot; 3],
        vec![Trouble::CutAfterDot(true), Trouble::CutAfterDot(false)],
        vec![
            Trouble::Cut(Phase::Body),
            refuse(Phase::Body, 451, "4.3.0 early"),
            Trouble::Cut(Phase::Body),
        ],
        vec![Trouble::Cut(Phase::MailFrom), Trouble::Cut(Phase::RcptTo), Trouble::Cut(Phase::Data)],
        vec![
            refuse(Phase::FinalDot, 421, "4.3.2 closing"),
            refuse(Phase::RcptTo, 421, "4.3.2 closing"),
        ],
        vec![Trouble::Down, Trouble::Down, Trouble::Slow(700_000)],
        vec![refuse(Phase::RcptTo, 451, "4.7.90 too fast")],
        vec![refuse(Phase::FinalDot, 550, "5.4.5 Daily user sending limit exceeded")],
    ];
    for troubles in troubles {
        let ops = [Op::RelayTroubles(0, troubles)];
        sweep(&ops, (4..160).step_by(24)).await;
        let lock_step = [vec![Op::RelayLockStep(0)], ops.to_vec()].concat();
        sweep(&lock_step, (4..160).step_by(24)).await;
    }
}

#[tokio::test]
async fn idle_connections_may_be_hung_up() {
    let ops = [Op::RelayHangsUp(0, Some(says(421, "4.4.2 idle"))), Op::RelayHangsUp(1, None)];
    sweep(&ops, dense()).await;
}
