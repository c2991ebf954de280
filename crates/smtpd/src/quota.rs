//! How much a server has taken in a rolling window.
//!
//! Used by the policy; pure, the time is given. What always holds: in no window [t, t + W) are more than
//! `amount` counted through [`Rolling::take`]. It does not know calendar days: the judges of this project
//! hold senders against the stricter rolling window.

use std::collections::VecDeque;

/// One ring of what was taken, by time.
#[derive(Debug)]
pub(crate) struct Rolling {
    amount: u64,
    window_ms: i64,
    taken: VecDeque<(i64, u64)>,
    used: u64,
}

impl Rolling {
    pub(crate) fn new(amount: u64, window_ms: i64) -> Self {
        Self { amount, window_ms, taken: VecDeque::new(), used: 0 }
    }

    /// Whether `count` more would be too many now.
    pub(crate) fn refuses(&mut self, now_ms: i64, count: u64) -> bool {
        while let Some(&(at, count)) = self.taken.front() {
            if at > now_ms.saturating_sub(self.window_ms) {
                break;
            }
            self.used -= count;
            self.taken.pop_front();
        }
        self.used.saturating_add(count) > self.amount
    }

    /// Counts, whether it fits or not.
    pub(crate) fn count(&mut self, now_ms: i64, count: u64) {
        self.used = self.used.saturating_add(count);
        match self.taken.back_mut() {
            // A clock that steps back must not bring the ring out of order.
            Some((at, sum)) if *at >= now_ms => *sum += count,
            Some(_) | None => self.taken.push_back((now_ms, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_frees_when_it_has_rolled_past() {
        let mut quota = Rolling::new(3, 1_000);
        for at in [0, 10, 10] {
            assert!(!quota.refuses(at, 1));
            quota.count(at, 1);
        }
        assert!(quota.refuses(999, 1));
        assert!(!quota.refuses(1_000, 1), "the first is a window old");
        assert!(quota.refuses(1_000, 2));
        assert!(!quota.refuses(1_010, 3));
    }

    #[test]
    fn a_clock_that_steps_back_frees_nothing_early() {
        let mut quota = Rolling::new(2, 1_000);
        quota.count(5_000, 1);
        quota.count(4_000, 1);
        assert!(quota.refuses(5_500, 1));
        assert!(!quota.refuses(6_000, 2));
    }
}
