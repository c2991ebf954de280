//! When a deferred row is tried again: pure, from the policy, the tries so far and the row's seed.
//!
//! RFC 5321 section 4.5.4.1 wants a wait of at least 30 minutes in general and more attempts in the first hours;
//! greylisting hosts take a second attempt after some minutes, so the first waits are shorter.

use postroad_model::Timestamp;
use postroad_model::rank::mix;
use std::time::Duration;

/// How rows are retried after a deferral by the recipient's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait after the first deferral.
    pub first: Duration,
    /// Each later wait is this many percent of the one before, at least 100.
    pub growth_percent: u32,
    /// Longest wait.
    pub longest: Duration,
    /// Up to this many percent are added or taken off, by the row's seed.
    pub jitter_percent: u32,
    /// Give up this long after the first attempt, even if the campaign goes on.
    pub give_up_after: Duration,
    /// A greylisted row stays with its relay this long: another address would start anew.
    pub pin: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(300),
            growth_percent: 200,
            longest: Duration::from_secs(4 * 3600),
            jitter_percent: 10,
            give_up_after: Duration::from_secs(4 * 86_400),
            pin: Duration::from_secs(6 * 3600),
        }
    }
}

/// What comes after a deferral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTry {
    /// Not before then.
    At(Timestamp),
    /// It has been tried long enough.
    GiveUp,
}

impl RetryPolicy {
    /// The next try of a row that was deferred `tries` times before this one.
    #[must_use]
    pub fn next(&self, tries: i64, first_at: Timestamp, now: Timestamp, seed: u64) -> NextTry {
        if now.since_ms(first_at) >= ms(self.give_up_after) {
            return NextTry::GiveUp;
        }
        let mut wait = ms(self.first);
        for _ in 0..tries.clamp(0, 64) {
            wait = wait.saturating_mul(i64::from(self.growth_percent.max(100))) / 100;
            if wait >= ms(self.longest) {
                break;
            }
        }
        let wait = wait.min(ms(self.longest)).max(1);
        let span = wait / 100 * i64::from(self.jitter_percent.min(100));
        let roll = mix(seed ^ mix(tries.cast_unsigned()));
        let spread = if span == 0 { 0 } else { (roll % (2 * span as u64 + 1)) as i64 - span };
        NextTry::At(now.plus_ms((wait + spread).max(1)))
    }
}

fn ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_at_the_limit() {
        let policy = RetryPolicy { jitter_percent: 0, ..RetryPolicy::default() };
        let t = Timestamp(1_000_000);
        let check = |tries, secs: i64| {
            assert_eq!(policy.next(tries, t, t, 7), NextTry::At(t.plus_ms(secs * 1_000)));
        };
        check(0, 300);
        check(1, 600);
        check(3, 2_400);
        check(30, 14_400);
        assert_eq!(policy.next(0, t, t.plus_ms(4 * 86_400_000), 7), NextTry::GiveUp);
    }

    #[test]
    fn jitter_stays_within_its_percent_and_differs_by_row() {
        let policy = RetryPolicy::default();
        let t = Timestamp(0);
        let waits: std::collections::BTreeSet<i64> = (0..50)
            .map(|seed| match policy.next(0, t, t, seed) {
                NextTry::At(at) => at.0,
                NextTry::GiveUp => -1,
            })
            .collect();
        assert!(waits.len() > 40);
        assert!(waits.iter().all(|w| (270_000..=330_000).contains(w)));
    }
}
