//! When a copy is looked for, and when it counts as missing. Pure.
//!
//! Used by `look`. Mail is slow for reasons that say nothing about filters (greylisting, queues), so a copy is awaited for
//! hours and the looks grow rare; what is found late is found. What must always hold: only a look that worked and searched
//! everywhere makes a copy missing; each copy is closed one day.

use postroad_model::Timestamp;
use postroad_model::placement::Placement;
use std::time::Duration;

/// How often and how long a copy is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the relay's acceptance to the first look, then from look to look; the last one goes on.
    pub waits: Vec<Duration>,
    /// Between looks for a copy that is missing.
    pub rare: Duration,
    /// A copy that was not found after this is missing.
    pub missing_after: Duration,
    /// Then nobody looks any more.
    pub revise_until: Duration,
    /// A mailbox without copies to look for is logged into this often, so that a broken login shows before a campaign.
    pub idle: Duration,
    /// Mailboxes that are open at once.
    pub at_once: usize,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            waits: [15, 30, 60, 120, 300, 600].map(seconds).to_vec(),
            rare: seconds(3_600),
            missing_after: seconds(4 * 3_600),
            revise_until: seconds(24 * 3_600),
            idle: seconds(1_800),
            at_once: 8,
        }
    }
}

/// What a look that found nothing makes of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub placement: Placement,
    /// `None`: never.
    pub next: Option<Timestamp>,
}

/// Where a copy is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// Inbox and junk, by the server's own search.
    Quick,
    /// Other folders too, and the newest messages where a search finds nothing.
    Everywhere,
}

impl Pace {
    /// From the relay's acceptance to the first look.
    #[must_use]
    pub fn first(&self) -> Duration {
        self.waits.first().copied().unwrap_or_default()
    }

    /// How a look that began then searches. Rules of the owner and searches that find nothing are rare, so the first one
    /// is quick; but where it is the one that says missing, it may be the only one.
    pub(crate) fn thoroughness(
        &self,
        accepted: Timestamp,
        looks: i64,
        began: Timestamp,
    ) -> Thoroughness {
        if looks > 0 || accepted.plus(self.missing_after) <= began {
            Thoroughness::Everywhere
        } else {
            Thoroughness::Quick
        }
    }

    /// After a look that worked, began then and did not find it. `looks` were made before this one.
    pub(crate) fn not_found(
        &self,
        accepted: Timestamp,
        looks: i64,
        (began, now): (Timestamp, Timestamp),
    ) -> Verdict {
        // By its beginning, as `thoroughness`: what grew overdue while it went on is missing after the next look.
        let over = |after: Duration| accepted.plus(after) <= began;
        let placement =
            if over(self.missing_after) { Placement::Missing } else { Placement::Pending };
        let next = if over(self.revise_until) {
            None
        } else if over(self.missing_after) {
            Some(now.plus(self.rare).min(accepted.plus(self.revise_until)))
        } else {
            Some(now.plus(self.wait(looks)).min(accepted.plus(self.missing_after)))
        };
        Verdict { placement, next }
    }

    /// After a look that failed: what was known stays, and what was not is unknown.
    pub(crate) fn failed(
        &self,
        was: Placement,
        accepted: Timestamp,
        again: Duration,
        now: Timestamp,
    ) -> Verdict {
        let placement = match was {
            Placement::Missing => Placement::Missing,
            Placement::NotSent
            | Placement::Pending
            | Placement::Inbox
            | Placement::Promotions
            | Placement::Spam
            | Placement::Other
            | Placement::Unknown => Placement::Unknown,
        };
        let over = accepted.plus(self.revise_until) <= now;
        Verdict { placement, next: (!over).then(|| now.plus(again)) }
    }

    fn wait(&self, looks: i64) -> Duration {
        let n = usize::try_from(looks).unwrap_or(0).saturating_add(1);
        let last = self.waits.last().copied().unwrap_or(Duration::from_secs(60));
        self.waits.get(n).copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Placement::{Missing, Pending, Unknown};

    const HOUR: i64 = 3_600_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp(1_796_000_000_000 + ms)
    }

    #[test]
    fn looks_grow_rare_and_a_copy_is_missing_after_hours_and_given_up_after_a_day() {
        let pace = Pace::default();
        let check = |looks, now: i64, placement, next: Option<i64>| {
            let verdict = pace.not_found(at(0), looks, (at(now), at(now)));
            assert_eq!(verdict, Verdict { placement, next: next.map(at) }, "{looks} {now}");
        };
        check(0, 15_000, Pending, Some(45_000));
        check(1, 45_000, Pending, Some(105_000));
        check(4, 600_000, Pending, Some(1_200_000));
        check(99, 2 * HOUR, Pending, Some(2 * HOUR + 600_000));
        check(99, 4 * HOUR - 1, Pending, Some(4 * HOUR));
        check(99, 4 * HOUR, Missing, Some(5 * HOUR));
        check(99, 24 * HOUR - 1, Missing, Some(24 * HOUR));
        check(99, 24 * HOUR, Missing, None);
    }

    #[test]
    fn a_look_that_says_missing_has_searched_everywhere() {
        let pace = Pace::default();
        let check = |looks, (began, ended): (i64, i64), searched, placement| {
            assert_eq!(pace.thoroughness(at(0), looks, at(began)), searched, "{looks} {began}");
            let verdict = pace.not_found(at(0), looks, (at(began), at(ended)));
            assert_eq!(verdict.placement, placement, "{looks} {began} {ended}");
        };
        use Thoroughness::{Everywhere, Quick};
        check(0, (15_000, 15_000), Quick, Pending);
        check(0, (4 * HOUR - 1, 4 * HOUR + 60_000), Quick, Pending);
        check(1, (45_000, 45_000), Everywhere, Pending);
        check(0, (4 * HOUR, 4 * HOUR), Everywhere, Missing);
        check(0, (48 * HOUR, 48 * HOUR), Everywhere, Missing);
    }

    #[test]
    fn a_look_that_failed_makes_nothing_missing() {
        let pace = Pace::default();
        let again = Duration::from_secs(60);
        let check = |was, now: i64, placement, next: Option<i64>| {
            let verdict = pace.failed(was, at(0), again, at(now));
            assert_eq!(verdict, Verdict { placement, next: next.map(at) }, "{was:?} {now}");
        };
        check(Pending, 5 * HOUR, Unknown, Some(5 * HOUR + 60_000));
        check(Missing, 5 * HOUR, Missing, Some(5 * HOUR + 60_000));
        check(Unknown, 25 * HOUR, Unknown, None);
    }
}
