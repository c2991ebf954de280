//! The canary, and the brake by placement: what follows from where seeds' copies landed, as pure decisions.
//!
//! `campaign` calls it. A campaign with a canary starts with a rank limit: its seeds and a random share of its audience go
//! first. [`Canary::judge`] then says whether it waits on, goes on, or is held for its operator. While it runs,
//! [`placement_brake`] looks at each relay x mailbox provider.
//!
//! What must always hold: nothing goes on beyond the share without a verdict that says so; a verdict against going on has a
//! reason that an operator understands; where nothing could be found out, that is never taken for good. Not done here: rows,
//! states and who is told.

use crate::Timestamp;
use crate::placement::{InboxRate, Placement, PlacementCounts, wilson_ends};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// With so many copies the interval's lower end is held against `min_inbox`: sixteen of sixteen is the first number whose
/// interval (81 to 100 %) shows 80 %.
const SURE_FROM: u32 = 16;
/// With so many the observed rate is; with fewer seeds there is nothing to go by.
const SOME_FROM: u32 = 4;
/// Besides all copies of a relay and provider, so many of the latest are judged alone: a filter changes its mind on the way.
const LATEST: usize = 8;
/// One-sided 80 % point of the normal distribution, for the brake.
const BRAKE_Z: f64 = 0.841_621_233_572_914;
/// Rounding must not tell 12 of 15 from 80 %.
const EPSILON: f64 = 1e-9;

/// `canary = { share = "1%", wait = "30m", min_inbox = 0.8 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// The share of the audience that goes first, 0 to [`Canary::MAX_SHARE`].
    pub share: f64,
    /// How long after the last seed was taken by its relay the copies are looked for.
    pub wait: Duration,
    /// The inbox rate that lets it go on, 0 to 1.
    pub min_inbox: f64,
}

/// A seed's row as the canary sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanarySeed {
    /// Where its copy is.
    pub placement: Placement,
    /// When its relay took it.
    pub accepted_at: Option<Timestamp>,
    /// Whether it may still be sent.
    pub row: SeedRow,
}

/// Whether a seed's row may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedRow {
    /// It waits, or is on its way.
    Open,
    /// It was taken, refused, or ended with its campaign.
    Ended,
}

/// What a canary is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryLook {
    /// When the campaign began with it.
    pub began_at: Timestamp,
    /// Recipients of the share that are not done.
    pub share_open: i64,
    /// Its seeds.
    pub seeds: Vec<CanarySeed>,
}

/// What a look says.
#[derive(Clone, Debug, PartialEq)]
pub enum CanaryVerdict {
    /// It is too early; `until` is when the wait ends, unknown as long as no relay has taken a seed.
    Waits {
        /// Until when.
        until: Option<Timestamp>,
    },
    /// The rate is good: the campaign goes on.
    Good {
        /// The rate.
        rate: InboxRate,
    },
    /// Too few seeds to go by: it goes on, with a warning.
    TooFew {
        /// The warning.
        why: String,
    },
    /// It is held for its operator.
    Bad {
        /// Why.
        why: String,
    },
}

impl Canary {
    /// The largest share; with more it is no canary.
    pub const MAX_SHARE: f64 = 0.5;
    /// With fewer seeds it proves nothing.
    pub const FEWEST_SEEDS: usize = SOME_FROM as usize;
    /// The shortest wait: no mailbox is looked into so soon.
    pub const MIN_WAIT: Duration = Duration::from_secs(60);

    /// The highest rank that goes first; ranks are spread evenly from 0 to `i64::MAX`.
    #[must_use]
    pub fn rank_limit(&self) -> i64 {
        (self.share.clamp(0.0, Self::MAX_SHARE) * i64::MAX as f64) as i64
    }

    /// When the wait is over: so long after the last seed was taken. A seed that no relay has taken by then is not waited for,
    /// but as long as none was taken at all (a shut send window, a quota that is used up) nothing is over. Without seeds it
    /// counts from the beginning.
    #[must_use]
    pub fn over_at(&self, look: &CanaryLook) -> Option<Timestamp> {
        let last = look.seeds.iter().filter_map(|s| s.accepted_at).max();
        let from = if look.seeds.is_empty() { Some(look.began_at) } else { last };
        from.map(|t| t.plus(self.wait))
    }

    /// The verdict at `now`.
    #[must_use]
    pub fn judge(&self, look: &CanaryLook, now: Timestamp) -> CanaryVerdict {
        let waits = |s: &CanarySeed| s.row == SeedRow::Open || s.placement == Placement::Pending;
        let until = self.over_at(look);
        let told = look.share_open == 0 && !look.seeds.iter().any(waits);
        if !told && until.is_none_or(|t| now < t) {
            return CanaryVerdict::Waits { until };
        }
        let mut counts = PlacementCounts::default();
        for seed in &look.seeds {
            // The wait is over: what was not found is not there.
            let pending = seed.placement == Placement::Pending;
            counts.add(if pending { Placement::Missing } else { seed.placement }, 1);
        }
        let seeds = u32::try_from(look.seeds.len()).unwrap_or(u32::MAX);
        self.weigh(&counts, seeds)
    }

    fn weigh(&self, counts: &PlacementCounts, seeds: u32) -> CanaryVerdict {
        let rate = counts.rate();
        let found = rate.map_or_else(|| "no copy was judged".into(), |r| format!("inbox {r}"));
        if seeds < SOME_FROM {
            let why = format!(
                "the canary has {seeds} seeds; fewer than {SOME_FROM} prove nothing, so the campaign goes on ({found})"
            );
            return CanaryVerdict::TooFew { why };
        }
        let Some(rate) = rate.filter(|r| r.samples >= SOME_FROM) else {
            let (unsent, unknown) = (counts.of(Placement::NotSent), counts.of(Placement::Unknown));
            let why = format!(
                "of {seeds} seeds only {} say where mail lands: {unsent} copies were not taken by a relay, {unknown} mailboxes \
                 could not be looked into",
                counts.samples()
            );
            return CanaryVerdict::Bad { why };
        };
        let wanted = self.min_inbox - EPSILON;
        let percent = (self.min_inbox * 100.0).round();
        if rate.samples >= SURE_FROM {
            if rate.lower >= wanted {
                return CanaryVerdict::Good { rate };
            }
            let why = format!(
                "inbox {rate}: with {SURE_FROM} copies or more the lower end must reach min_inbox, {percent} %"
            );
            return CanaryVerdict::Bad { why };
        }
        if rate.ratio >= wanted {
            return CanaryVerdict::Good { rate };
        }
        CanaryVerdict::Bad { why: format!("inbox {rate}: min_inbox is {percent} %") }
    }
}

/// Whether a relay should not serve a mailbox provider now: the rate of its copies there (in the order in which they were sent),
/// or of the latest of them, when that shows less than `min_inbox`.
///
/// The canary asks for proof that mail is welcome, once, of all copies together. This asks the opposite, many times, of a
/// handful of copies each: were the observed rate enough, four copies of which 90 % truly reach the inbox would brake a third
/// of all relays and providers by chance; were the 95 % interval's upper end asked, a relay would go on until nine of sixteen
/// were filed to spam. A brake costs little, because others take over and it ends by itself. So it is set at odds of four to
/// one: when the one-sided 80 % interval of four copies or more ends below `min_inbox`. Of four copies two must be misplaced, of
/// sixteen five; one alone never brakes.
#[must_use]
pub fn placement_brake(sent: &[Placement], min_inbox: f64) -> Option<InboxRate> {
    let told: Vec<Placement> = sent.iter().copied().filter(|p| tells(*p)).collect();
    let latest = &told[told.len().saturating_sub(LATEST)..];
    [&told[..], latest].into_iter().find_map(|copies| {
        let mut counts = PlacementCounts::default();
        copies.iter().for_each(|p| counts.add(*p, 1));
        let rate = counts.rate().filter(|r| r.samples >= SOME_FROM)?;
        let (_, upper) = wilson_ends(rate.ratio, rate.samples, BRAKE_Z);
        (upper < min_inbox - EPSILON).then_some(rate)
    })
}

/// Whether copies are too few to brake by and yet suspicious: two or more of fewer than four were misplaced. What the same relay
/// and provider did for earlier campaigns then speaks as well: it is their reputation, not one campaign's.
#[must_use]
pub fn wants_earlier(sent: &[Placement]) -> bool {
    let told: Vec<&Placement> = sent.iter().filter(|p| tells(**p)).collect();
    let misplaced = |p: &&&Placement| matches!(p, Placement::Spam | Placement::Missing);
    told.len() < SOME_FROM as usize && told.iter().filter(misplaced).count() >= 2
}

fn tells(placement: Placement) -> bool {
    match placement {
        Placement::Inbox | Placement::Promotions | Placement::Spam | Placement::Missing => true,
        Placement::NotSent | Placement::Pending | Placement::Other | Placement::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Placement::{Inbox, Missing, NotSent, Other, Pending, Promotions, Spam, Unknown};

    const CANARY: Canary = Canary { share: 0.01, wait: Duration::from_secs(1800), min_inbox: 0.8 };
    const TAKEN: Timestamp = Timestamp(1_000_000);

    fn seeds(placements: &[(u32, Placement)]) -> Vec<CanarySeed> {
        let seed = |placement| CanarySeed {
            placement,
            accepted_at: (placement != NotSent).then_some(TAKEN),
            row: SeedRow::Ended,
        };
        let of = |(n, p): &(u32, Placement)| vec![seed(*p); *n as usize];
        placements.iter().flat_map(of).collect()
    }

    fn look(placements: &[(u32, Placement)]) -> CanaryLook {
        CanaryLook { began_at: Timestamp(0), share_open: 0, seeds: seeds(placements) }
    }

    #[test]
    fn the_share_is_a_rank() {
        let limit = |share| Canary { share, ..CANARY }.rank_limit();
        assert_eq!((limit(0.0), limit(0.5), limit(7.0)), (0, 1 << 62, 1 << 62));
        assert!((limit(0.01) as f64 / i64::MAX as f64 - 0.01).abs() < 1e-15);
    }

    #[test]
    fn sixteen_copies_must_prove_it_four_must_show_it_and_fewer_warn() {
        let check = |placements: &[(u32, Placement)], expected: &str| {
            let verdict = CANARY.judge(&look(placements), TAKEN);
            let found = match &verdict {
                CanaryVerdict::Waits { .. } => "waits",
                CanaryVerdict::Good { .. } => "good",
                CanaryVerdict::TooFew { .. } => "few",
                CanaryVerdict::Bad { .. } => "bad",
            };
            assert_eq!(found, expected, "{placements:?}: {verdict:?}");
        };
        check(&[(16, Inbox)], "good");
        check(&[(10, Inbox), (6, Promotions)], "good");
        check(&[(15, Inbox), (1, Spam)], "bad");
        check(&[(29, Inbox), (1, Missing)], "good");
        check(&[(28, Inbox), (2, Missing)], "bad");
        check(&[(12, Inbox), (3, Spam)], "good");
        check(&[(11, Inbox), (4, Spam)], "bad");
        check(&[(4, Inbox)], "good");
        check(&[(3, Inbox), (1, Missing)], "bad");
        check(&[(3, Spam)], "few");
        check(&[], "few");
        // Where nothing could be found out, nothing is good.
        check(&[(16, Unknown)], "bad");
        check(&[(16, NotSent)], "bad");
        check(&[(3, Inbox), (13, Other)], "bad");
        check(&[(15, Inbox), (1, Unknown)], "good");
    }

    #[test]
    fn a_held_canary_says_why() {
        let check = |placements: &[(u32, Placement)], part: &str| match CANARY
            .judge(&look(placements), TAKEN)
        {
            CanaryVerdict::Bad { why } | CanaryVerdict::TooFew { why } => {
                assert!(why.contains(part), "{why}");
            }
            verdict @ (CanaryVerdict::Waits { .. } | CanaryVerdict::Good { .. }) => {
                panic!("{verdict:?}")
            }
        };
        check(&[(12, Inbox), (4, Spam)], "inbox 75 % of 16 copies (51 to 90 %): with 16");
        check(&[(2, Inbox), (3, Spam)], "inbox 40 % of 5 copies (12 to 77 %): min_inbox is 80 %");
        check(&[(1, Inbox), (9, NotSent), (2, Unknown)], "of 12 seeds only 1 say");
        check(&[(2, Spam)], "2 seeds; fewer than 4");
    }

    #[test]
    fn it_waits_for_its_rows_and_copies_but_no_longer_than_the_wait() {
        let waits = |look: &CanaryLook, now| match CANARY.judge(look, now) {
            CanaryVerdict::Waits { until } => Some(until),
            CanaryVerdict::Good { .. }
            | CanaryVerdict::TooFew { .. }
            | CanaryVerdict::Bad { .. } => None,
        };
        let over = TAKEN.plus(CANARY.wait);
        let pending = look(&[(15, Inbox), (1, Pending)]);
        assert_eq!(waits(&pending, over.plus_ms(-1)), Some(Some(over)));
        assert_eq!(waits(&pending, over), None, "a pending copy counts as missing");
        assert!(matches!(CANARY.judge(&pending, over), CanaryVerdict::Bad { .. }));
        let share = CanaryLook { share_open: 1, ..look(&[(16, Inbox)]) };
        assert_eq!(waits(&share, over.plus_ms(-1)), Some(Some(over)));
        assert!(matches!(CANARY.judge(&share, over), CanaryVerdict::Good { .. }));
        // No relay has taken any: a shut window says nothing about the inbox.
        let mut unsent = look(&[(16, NotSent)]);
        unsent.seeds.iter_mut().for_each(|s| s.row = SeedRow::Open);
        assert_eq!(waits(&unsent, Timestamp(i64::MAX)), Some(None));
        // One relay rests: the others' copies are judged without its own.
        unsent.seeds.extend(seeds(&[(16, Inbox)]));
        assert_eq!(waits(&unsent, over.plus_ms(-1)), Some(Some(over)));
        assert!(matches!(CANARY.judge(&unsent, over), CanaryVerdict::Good { .. }));
        // Without seeds the share is waited for.
        let none = CanaryLook { share_open: 3, ..look(&[]) };
        let over = Timestamp(0).plus(CANARY.wait);
        assert_eq!((waits(&none, Timestamp(5)), waits(&none, over)), (Some(Some(over)), None));
    }

    #[test]
    fn a_brake_needs_more_than_one_misplaced_copy_and_sees_a_change_of_mind() {
        let check = |parts: &[(usize, Placement)], expected: Option<(u32, u32)>| {
            let sent: Vec<Placement> = parts.iter().flat_map(|(n, p)| vec![*p; *n]).collect();
            let found = placement_brake(&sent, 0.8)
                .map(|r| ((r.ratio * f64::from(r.samples)).round() as u32, r.samples));
            assert_eq!(found, expected, "{parts:?}");
        };
        check(&[(3, Spam)], None);
        check(&[(4, Spam)], Some((0, 4)));
        check(&[(2, Inbox), (2, Missing)], Some((2, 4)));
        check(&[(3, Inbox), (1, Spam)], None);
        check(&[(8, Promotions), (1, Spam)], None);
        check(&[(4, Spam), (12, Inbox)], None);
        check(&[(11, Spam), (5, Inbox)], Some((5, 16)));
        check(&[(2, Spam), (30, Inbox)], None);
        // All of them would still pass; the latest do not.
        check(&[(40, Inbox), (4, Spam)], Some((4, 8)));
        check(&[(9, Unknown), (9, Pending), (9, Other), (9, NotSent), (3, Spam)], None);
    }

    #[test]
    fn few_copies_of_which_two_are_misplaced_want_those_of_earlier_campaigns() {
        assert!(wants_earlier(&[Spam, Missing]) && wants_earlier(&[Inbox, Spam, Spam, Pending]));
        assert!(!wants_earlier(&[Inbox, Inbox, Spam]) && !wants_earlier(&[Spam; 4]));
        assert!(!wants_earlier(&[]) && !wants_earlier(&[Unknown, Unknown, Spam]));
    }

    #[test]
    fn good_relays_are_seldom_braked_by_chance() {
        // Exact: every outcome of n copies with its probability, 95 % of which truly reach the inbox.
        for n in 4..=8_usize {
            let mut braked = 0.0;
            for outcome in 0..1_u32 << n {
                let sent: Vec<Placement> =
                    (0..n).map(|i| if outcome >> i & 1 == 1 { Spam } else { Inbox }).collect();
                if placement_brake(&sent, 0.8).is_some() {
                    let bad = outcome.count_ones() as i32;
                    braked += 0.05_f64.powi(bad) * 0.95_f64.powi(n as i32 - bad);
                }
            }
            assert!(braked < 0.025, "{n} copies: {braked}");
        }
    }
}
