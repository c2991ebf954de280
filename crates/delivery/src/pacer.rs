//! The pacer: limits with short windows, kept in the memory of the scope's only owner.
//!
//! Asked by the core before each envelope. What must always hold: at most N recipients reach the relay in any
//! stretch [t, t + W). A token bucket with burst B and rate r lets B + rW through, so for burst B the rate is
//! (N' - B + 1) / W; and N' is N less the envelopes that may be unanswered at once, because those may arrive
//! late and close to the next ones. For an N of 1 or 2 the next envelope waits for the last one's reply plus W / N.
//! After taking a lane it waits one window first, unless the lane was idle that long.

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use postroad_model::Timestamp;
use postroad_model::limit::{Keeper, Limit, Window};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The time of the current step, for governor.
#[derive(Debug, Clone, Default)]
struct StepClock(Arc<AtomicU64>);

impl Clock for StepClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, StepClock, NoOpMiddleware<Nanos>>;

struct Paced {
    per_second: f64,
    kind: Kind,
}

enum Kind {
    /// By token bucket.
    Bucket(Box<Bucket>),
    /// One at a time, `gap_ms` after the last reply.
    LockStep { gap_ms: i64 },
}

/// The pacer of one limit scope.
pub struct Pacer {
    clock: StepClock,
    origin: Timestamp,
    paced: Vec<Paced>,
    /// How many envelopes may be unanswered at once.
    unanswered_max: u32,
    unanswered: u32,
    opens_at: Timestamp,
    replied_at: Option<Timestamp>,
}

/// The pacer's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One envelope may be written now; it is counted.
    Go,
    /// Ask again at that time.
    Wait(Timestamp),
    /// Ask again when a reply was read.
    AwaitReply,
}

impl Pacer {
    /// A pacer for the short limits of a scope whose lanes open at most `connections` at once. `busy_at` is when
    /// the lanes may last have had something on the wire under another owner.
    #[must_use]
    pub fn new(limits: &[Limit], connections: u32, busy_at: Timestamp, now: Timestamp) -> Self {
        let short: Vec<(i64, i64)> = limits
            .iter()
            .filter(|l| l.keeper == Keeper::Pacer)
            .filter_map(|l| match &l.window {
                Window::Rolling { ms } => Some((l.amount.max(0), *ms)),
                Window::Calendar { .. } => None,
            })
            .collect();
        let lock_step = short.iter().any(|(n, _)| *n <= 2);
        let smallest = short.iter().map(|(n, _)| *n).min().unwrap_or(i64::MAX);
        let half = u32::try_from(smallest / 2).unwrap_or(u32::MAX).max(1);
        let unanswered_max = if lock_step { 1 } else { connections.max(1).min(half) };
        let longest = short.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
        let clock = StepClock::default();
        let paced = short
            .into_iter()
            .map(|(n, window_ms)| Paced {
                per_second: n as f64 * 1_000.0 / window_ms.max(1) as f64,
                kind: if n <= 2 {
                    Kind::LockStep { gap_ms: if n == 0 { i64::MAX / 4 } else { window_ms / n + 1 } }
                } else {
                    Kind::Bucket(Box::new(bucket(n - i64::from(unanswered_max), window_ms, &clock)))
                },
            })
            .collect();
        let opens_at =
            if longest == 0 { now } else { busy_at.plus_ms(longest).min(now.plus_ms(longest)) };
        Self {
            clock,
            origin: now,
            paced,
            unanswered_max,
            unanswered: 0,
            opens_at,
            replied_at: None,
        }
    }

    /// The same pacer, with envelopes of a former one still unanswered.
    #[must_use]
    pub fn behind(mut self, unanswered: usize) -> Self {
        self.unanswered = u32::try_from(unanswered).unwrap_or(u32::MAX);
        self
    }

    /// May one more envelope be written now?
    pub fn admit(&mut self, now: Timestamp) -> Pace {
        if self.paced.is_empty() {
            return Pace::Go;
        }
        if now < self.opens_at {
            return Pace::Wait(self.opens_at);
        }
        if self.unanswered >= self.unanswered_max {
            return Pace::AwaitReply;
        }
        let elapsed = u64::try_from(now.since_ms(self.origin)).unwrap_or(0);
        self.clock.0.store(elapsed.saturating_mul(1_000_000), Ordering::Relaxed);
        // A bucket that lets one through and another that does not would lose a token: it costs a little rate and
        // never passes a limit. Lock-step ones are asked first since asking them costs nothing.
        for paced in &self.paced {
            if let (Kind::LockStep { gap_ms }, Some(replied)) = (&paced.kind, self.replied_at)
                && now < replied.plus_ms(*gap_ms)
            {
                return Pace::Wait(replied.plus_ms(*gap_ms));
            }
        }
        for paced in &self.paced {
            if let Kind::Bucket(bucket) = &paced.kind
                && let Err(not_yet) = bucket.check()
            {
                let wait = not_yet.wait_time_from(self.clock.now());
                let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4) + 1;
                return Pace::Wait(now.plus_ms(ms));
            }
        }
        self.unanswered += 1;
        Pace::Go
    }

    /// The reply to an envelope was read, or its connection is gone.
    pub fn answered(&mut self, at: Timestamp) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.replied_at = Some(self.replied_at.map_or(at, |t| t.max(at)));
    }

    /// Envelopes a second that it lets through in the long run; `None` when nothing paces.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        self.paced.iter().map(|p| p.per_second).reduce(f64::min)
    }
}

fn bucket(n: i64, window_ms: i64, clock: &StepClock) -> Bucket {
    let n = u32::try_from(n.max(1)).unwrap_or(u32::MAX);
    let burst = (n / 10).max(1);
    let window = Duration::from_millis(u64::try_from(window_ms).unwrap_or(1));
    // Rounded up: a period that is a nanosecond too short would let one more through.
    let period = Duration::from_nanos(
        u64::try_from(window.as_nanos().div_ceil(u128::from(n - burst + 1))).unwrap_or(u64::MAX),
    );
    let quota = Quota::with_period(period.max(Duration::from_nanos(1)))
        .expect("a period of at least a nanosecond")
        .allow_burst(NonZeroU32::new(burst).expect("at least one"));
    RateLimiter::direct_with_clock(quota, clock.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_model::limit::LimitUnit;
    use proptest::prelude::*;

    fn limit(n: i64, ms: u64) -> Limit {
        Limit::rolling("t", n, LimitUnit::Recipients, Duration::from_millis(ms))
    }

    #[test]
    fn a_taken_lane_waits_one_window_unless_it_was_idle_that_long() {
        let now = Timestamp(100_000);
        let mut busy = Pacer::new(&[limit(10, 1_000)], 4, Timestamp(99_900), now);
        assert_eq!(busy.admit(now), Pace::Wait(Timestamp(100_900)));
        let mut idle = Pacer::new(&[limit(10, 1_000)], 4, Timestamp(98_000), now);
        assert_eq!(idle.admit(now), Pace::Go);
    }

    #[test]
    fn one_a_second_waits_for_the_reply() {
        let mut pacer = Pacer::new(&[limit(1, 1_000)], 4, Timestamp(0), Timestamp(10_000));
        assert_eq!(pacer.admit(Timestamp(10_000)), Pace::Go);
        assert_eq!(pacer.admit(Timestamp(10_500)), Pace::AwaitReply);
        pacer.answered(Timestamp(12_000));
        assert_eq!(pacer.admit(Timestamp(12_500)), Pace::Wait(Timestamp(13_001)));
        assert_eq!(pacer.admit(Timestamp(13_001)), Pace::Go);
    }

    proptest! {
        /// Envelopes arrive at the relay anywhere between writing and reply; a greedy sender asks all the time.
        #[test]
        fn no_window_at_the_relay_passes_the_limit(
            n in 1_i64..40, conns in 1_u32..12, flights in proptest::collection::vec(1_i64..1_500, 200),
            early in proptest::collection::vec(0_i64..100, 200),
        ) {
            let mut pacer = Pacer::new(&[limit(n, 1_000)], conns, Timestamp(0), Timestamp(10_000));
            let mut open: Vec<i64> = Vec::new();
            let mut arrivals = Vec::new();
            let mut t = 10_000_i64;
            let mut k = 0;
            while k < flights.len() && t < 200_000 {
                open.sort_unstable();
                while open.first().is_some_and(|r| *r <= t) {
                    pacer.answered(Timestamp(open.remove(0)));
                }
                match pacer.admit(Timestamp(t)) {
                    Pace::Go => {
                        arrivals.push(t + flights[k] * early[k] / 100);
                        open.push(t + flights[k]);
                        k += 1;
                    }
                    Pace::Wait(at) => t = at.0.min(open.first().copied().unwrap_or(i64::MAX)).max(t + 1),
                    Pace::AwaitReply => t = open.first().copied().unwrap_or(t + 1).max(t),
                }
            }
            arrivals.sort_unstable();
            for (i, start) in arrivals.iter().enumerate() {
                let inside = arrivals[i..].iter().take_while(|a| **a < start + 1_000).count();
                prop_assert!(inside as i64 <= n, "{inside} of {n} from {start}");
            }
        }
    }
}
