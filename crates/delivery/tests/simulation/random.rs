//! Random histories, each from one seed.

use crate::ops::{Greylisting, Op, refuse, says};
use crate::scene::{START, Scene, relay};
use crate::script::Trouble;
use crate::sim::{Sim, SimSettings};
use postroad_model::limit::{CalendarPeriod, Limit, LimitUnit};
use postroad_model::relay::{Relay, Senders};
use postroad_model::reply::Phase;
use postroad_testkit::builders;
use rand::Rng;
use rand::rngs::StdRng;
use std::time::Duration;

fn a_limit(rng: &mut StdRng) -> Vec<Limit> {
    let ledger = |name: &str, amount, secs| {
        Limit::rolling(name, amount, LimitUnit::Recipients, Duration::from_secs(secs))
    };
    let mut limits = Vec::new();
    match rng.random_range(0..5) {
        0 => limits.push(Limit::calendar(
            "calendar",
            rng.random_range(10..80),
            LimitUnit::Recipients,
            CalendarPeriod::Day,
            "UTC",
        )),
        1 => limits.push(ledger("ten", rng.random_range(3..40), 600)),
        2 => limits.push(ledger("hour", rng.random_range(5..60), 3_600)),
        3 => limits.push(ledger("day", rng.random_range(20..120), 86_400)),
        _ => {}
    }
    match rng.random_range(0..5) {
        0 => limits.push(ledger("second", rng.random_range(1..6), 1)),
        1 => limits.push(ledger("minute", rng.random_range(3..30), 60)),
        _ => {}
    }
    limits
}

fn relays(rng: &mut StdRng) -> Vec<Relay> {
    let accounts: Vec<Vec<Limit>> = (0..2).map(|_| a_limit(rng)).collect();
    let n = rng.random_range(1..=3);
    (0..n)
        .map(|i| {
            let account = rng.random_range(0..2);
            let limits = accounts[account].clone();
            let mut relay = relay(&format!("relay-{i}"), &format!("account-{account}"), limits);
            relay.connections.max_connections = rng.random_range(1..=4);
            relay.connections.max_messages_per_connection =
                rng.random_bool(0.5).then(|| rng.random_range(1..10));
            if rng.random_bool(0.3) {
                relay.senders = Senders::Itself(builders::mailbox("anna@example.com"));
            }
            relay
        })
        .collect()
}

fn a_reply(rng: &mut StdRng, phase: Phase) -> Trouble {
    let (code, text) = [
        (550, "5.4.5 Daily user sending limit exceeded"),
        (451, "4.7.90 too fast"),
        (535, "5.7.91 bad login"),
        (421, "4.3.2 closing"),
        (450, "4.2.1 mailbox busy"),
        (452, "4.2.2 mailbox full"),
        (550, "5.1.1 no such user"),
        (554, "5.7.1 policy"),
        (552, "5.3.4 too big"),
        (451, "4.7.1 Greylisted, come again"),
    ][rng.random_range(0..10)];
    refuse(phase, code, text)
}

fn a_trouble(rng: &mut StdRng) -> Trouble {
    const BEFORE: [Phase; 3] = [Phase::MailFrom, Phase::RcptTo, Phase::Data];
    match rng.random_range(0..9) {
        0 => Trouble::Cut(BEFORE[rng.random_range(0..3)]),
        1 => Trouble::Cut(Phase::Body),
        2 => Trouble::CutAfterDot(rng.random_bool(0.5)),
        3 => Trouble::CutBeforeDot,
        4 => Trouble::Slow([3_000, 40_000, 290_000, 700_000][rng.random_range(0..4)]),
        5 => Trouble::Down,
        6 => a_reply(rng, Phase::Body),
        7 => a_reply(rng, Phase::FinalDot),
        _ => {
            let phase = BEFORE[rng.random_range(0..3)];
            a_reply(rng, phase)
        }
    }
}

fn a_while(rng: &mut StdRng) -> Duration {
    let ms = match rng.random_range(0..20) {
        0..=6 => rng.random_range(1..100),
        7..=13 => rng.random_range(100..3_000),
        14..=17 => rng.random_range(3_000..90_000),
        18 => rng.random_range(90_000..1_200_000),
        _ => rng.random_range(1_200_000..20_000_000),
    };
    Duration::from_millis(ms)
}

fn an_op(rng: &mut StdRng, relays: usize, audience: usize) -> Op {
    let at = rng.random_range(0..relays);
    match rng.random_range(0..40) {
        0..=5 => {
            let n = rng.random_range(1..4);
            Op::RelayTroubles(at, (0..n).map(|_| a_trouble(rng)).collect())
        }
        6 => Op::SlowReply(at, [5, 40, 400, 1_000, 5_000][rng.random_range(0..5)]),
        7 => Op::RelayGreylists(at, Greylisting::On),
        8 => Op::RelayGreylists(at, Greylisting::Off),
        9 => Op::RelayHangsUp(at, rng.random_bool(0.5).then(|| says(421, "4.4.2 idle"))),
        10 => Op::RelayQuota(at, rng.random_bool(0.5).then(|| rng.random_range(0..10))),
        11 => Op::RelayLockStep(at),
        12 | 13 => Op::Crash { restart_ms: [300, 800, 5_000, 90_000][rng.random_range(0..4)] },
        14 => {
            let frozen_ms = rng.random_range(1_000..1_500_000);
            Op::LeaseLost { frozen_ms, other_holds_ms: rng.random_range(100..1_200_000) }
        }
        15..=17 => Op::Suppress(rng.random_range(0..audience)),
        18 => Op::Pause,
        19 | 20 => Op::Resume,
        21 if rng.random_bool(0.1) => Op::Cancel,
        22 => Op::PauseLane(at, a_while(rng)),
        23 => Op::ResumeLane(at),
        24 | 25 => Op::StoreAway(Duration::from_millis(rng.random_range(100..1_000_000))),
        26 => Op::AnswersLost(rng.random_bool(0.7).then(|| rng.random_range(1..6))),
        27 => Op::Nudge,
        28 => Op::ResendUnknown,
        29 => Op::Restart,
        _ => Op::AdvanceTime(a_while(rng)),
    }
}

/// One history. Its seed is in every message that it fails with.
pub async fn history(seed: u64) {
    let mut rng = postroad_testkit::rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let relays = relays(&mut rng);
    let n = relays.len();
    let audience = rng.random_range(10..80);
    // Slow enough that most of what happens meets rows on the wire.
    let slow = |at| Op::SlowReply(at, [40, 400, 1_000][rng.random_range(0..3)]);
    let mut ops: Vec<Op> = (0..n).map(slow).collect();
    ops.extend((0..rng.random_range(5..40)).map(|_| an_op(&mut rng, n, audience)));
    if number("SIM_SEED").is_some() {
        tell(&format!("{ops:#?}"));
    }
    let people = u32::try_from(audience).unwrap();
    let mut settings = builders::campaign_settings();
    if rng.random_bool(0.15) {
        let hours = rng.random_range(1..30);
        settings.expires_at = Some(START.plus(Duration::from_secs(3_600 * hours)));
    }
    let scene = Scene::new(relays, people, settings).await;
    let mut sim = Sim::new(scene, SimSettings::new(seed)).await;
    sim.play(&ops).await;
    sim.finish(Duration::from_secs(6 * 86_400)).await;
}

#[expect(clippy::disallowed_methods, reason = "the test runner's environment is the argument here")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[expect(clippy::print_stdout, reason = "a history that stops the test is the last one named")]
fn tell(text: &str) {
    println!("{text}");
}

/// Histories on as many threads as there are processors, each thread with every n-th seed.
fn histories(seeds: std::ops::Range<u64>) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for first in 0..threads {
            let mine = seeds.clone().filter(move |seed| seed % threads == first);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime needs nothing that a test has not");
                for seed in mine {
                    tell(&format!("seed {seed}"));
                    runtime.block_on(history(seed));
                }
            });
        }
    });
}

#[test]
fn random_histories_keep_every_promise() {
    match number("SIM_SEED") {
        Some(seed) => histories(seed..seed + 1),
        None => histories(0..number("SIM_SEEDS").unwrap_or(200)),
    }
}
