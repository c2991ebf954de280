//! A campaign's inbox rate, weighted by its audience's real mix of mailbox providers; and several campaigns together.
//!
//! `placement`, `campaign` and cli call it where a rate of a whole campaign is shown. Seeds are spread over providers as
//! their owner happened to open mailboxes, not as the audience is: half of the seeds may be at a provider that has a
//! twentieth of the people. So R = sum of w * r over providers, w a provider's share of the audience, r its seeds' rate.
//!
//! The interval is made from each provider's own Wilson ends l and u (the "method of variance estimates recovery" of Zou and
//! Donner): R - sqrt(sum of w^2 (r - l)^2) to R + sqrt(sum of w^2 (u - r)^2). It holds for few copies and for rates of 0 and
//! 1, where an interval made of variances shrinks to nothing; for a single provider it is Wilson's own.
//!
//! Providers of the audience that no seed looks at (no copy there says anything yet) have no part in the rate: their weight
//! is shared out over the others, and `covered` and `uncovered` say how much of the audience the rate speaks for. Whoever
//! shows the rate shows that too.
//!
//! What must always hold: what is shown is the same wherever it is shown, because it is made here. Not done here: the plain rate
//! of all copies together, which [`crate::placement`] makes.

use crate::MailboxProvider;
use crate::placement::{InboxRate, PlacementCounts};
use std::collections::BTreeMap;

/// Copies by mailbox provider.
pub type ByProvider = BTreeMap<MailboxProvider, PlacementCounts>;

/// So many campaigns make the pooled rate.
pub const POOLED: usize = 10;
/// How many are read for it: more, because some say nothing.
pub const POOLED_READ: i64 = 20;

/// Several campaigns' copies together, by whatever they are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled<K> {
    /// How many campaigns they are.
    pub campaigns: usize,
    /// Their copies.
    pub copies: BTreeMap<K, PlacementCounts>,
}

/// An inbox rate as the audience would see it.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedRate {
    /// The rate, its interval, and the copies that it rests on.
    pub rate: InboxRate,
    /// The share of the audience at providers that the rate speaks for, 0 to 1.
    pub covered: f64,
    /// Providers of the audience that no copy tells anything about, the largest first.
    pub uncovered: Vec<MailboxProvider>,
}

/// The rate of copies, weighted by the audience's recipients at each provider; `None` when no provider of the audience
/// has a copy that says something.
#[must_use]
pub fn weighted(copies: &ByProvider, mix: &[(MailboxProvider, i64)]) -> Option<WeightedRate> {
    let mut mix: Vec<(MailboxProvider, i64)> = mix.iter().filter(|m| m.1 > 0).copied().collect();
    mix.sort_by_key(|(_, people)| -people);
    let of = |provider: MailboxProvider| copies.get(&provider).and_then(PlacementCounts::rate);
    let all: i64 = mix.iter().map(|m| m.1).sum();
    let known: Vec<(f64, InboxRate)> =
        mix.iter().filter_map(|(p, people)| Some((*people as f64, of(*p)?))).collect();
    let people: f64 = known.iter().map(|k| k.0).sum();
    if known.is_empty() {
        return None;
    }
    let (mut ratio, mut below, mut above, mut samples) = (0.0, 0.0, 0.0, 0_u32);
    for (weight, rate) in known {
        let w = weight / people;
        ratio += w * rate.ratio;
        below += (w * (rate.ratio - rate.lower)).powi(2);
        above += (w * (rate.upper - rate.ratio)).powi(2);
        samples = samples.saturating_add(rate.samples);
    }
    let (lower, upper) = ((ratio - below.sqrt()).max(0.0), (ratio + above.sqrt()).min(1.0));
    Some(WeightedRate {
        rate: InboxRate { ratio, lower, upper, samples },
        covered: people / all as f64,
        uncovered: mix.iter().map(|m| m.0).filter(|p| of(*p).is_none()).collect(),
    })
}

/// The copies of the newest `last` campaigns together, given the newest first. Campaigns without a copy that says something
/// are passed over, so that a test or a campaign that has just begun pushes none out.
pub fn pooled<'a, K: Ord + Copy + 'a>(
    newest_first: impl IntoIterator<Item = &'a BTreeMap<K, PlacementCounts>>,
    last: usize,
) -> Pooled<K> {
    let mut sum = Pooled { campaigns: 0, copies: BTreeMap::new() };
    let told = newest_first.into_iter().filter(|c| c.values().any(|counts| counts.samples() > 0));
    for campaign in told.take(last) {
        sum.campaigns += 1;
        for (key, counts) in campaign {
            *sum.copies.entry(*key).or_default() += *counts;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Placement;
    use MailboxProvider::{Google, Microsoft, Other, Yahoo};

    fn counts(inboxes: u32, spam: u32) -> PlacementCounts {
        let mut counts = PlacementCounts::default();
        counts.add(Placement::Inbox, inboxes);
        counts.add(Placement::Spam, spam);
        counts
    }

    #[test]
    fn one_provider_has_wilsons_interval() {
        let one = BTreeMap::from([(Google, counts(27, 3))]);
        let found = weighted(&one, &[(Google, 10)]).unwrap();
        let wilson = InboxRate::wilson(27, 30).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(found.rate.lower, wilson.lower) && near(found.rate.upper, wilson.upper));
        assert_eq!((found.rate.samples, found.covered, found.uncovered), (30, 1.0, vec![]));
    }

    #[test]
    fn providers_weigh_what_the_audience_weighs_and_those_without_seeds_are_named() {
        let copies = BTreeMap::from([
            (Google, counts(2, 8)),
            (Microsoft, counts(10, 0)),
            (Yahoo, PlacementCounts::default()),
        ]);
        let mix = [(Other, 100), (Yahoo, 300), (Google, 400), (Microsoft, 200)];
        let found = weighted(&copies, &mix).unwrap();
        assert!((found.rate.ratio - (0.2 * 400.0 + 200.0) / 600.0).abs() < 1e-12);
        assert!((found.covered - 0.6).abs() < 1e-12);
        assert_eq!((found.rate.samples, found.uncovered), (20, vec![Yahoo, Other]));
        assert!(found.rate.lower < found.rate.ratio && found.rate.ratio < found.rate.upper);
    }

    #[test]
    fn nothing_is_said_where_no_copy_says_anything_of_the_audience() {
        let copies = BTreeMap::from([(Google, counts(5, 0))]);
        assert_eq!(weighted(&copies, &[(Other, 10)]), None);
        assert_eq!(weighted(&copies, &[]), None);
        assert_eq!(weighted(&copies, &[(Google, 0)]), None);
        assert_eq!(weighted(&BTreeMap::new(), &[(Google, 10)]), None);
    }

    #[test]
    fn the_last_campaigns_add_up_and_empty_ones_push_none_out() {
        let campaigns = [
            BTreeMap::from([(Google, PlacementCounts::default())]),
            BTreeMap::from([(Google, counts(3, 1))]),
            BTreeMap::from([(Google, counts(2, 0)), (Yahoo, counts(0, 1))]),
            BTreeMap::from([(Google, counts(0, 9))]),
        ];
        let sum = pooled(&campaigns, 2);
        assert_eq!(sum.copies[&Google].rate(), InboxRate::wilson(5, 6));
        assert_eq!((sum.campaigns, sum.copies[&Yahoo].samples()), (2, 1));
        assert_eq!(pooled(&campaigns, 9).campaigns, 3);
        assert!(pooled(&campaigns, 0).copies.is_empty());
    }

    /// A small generator (splitmix64), so that the campaigns are the same wherever this runs.
    struct Dice(u64);

    impl Dice {
        fn share(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn between(&mut self, low: f64, high: f64) -> f64 {
            low + self.share() * (high - low)
        }

        fn copies(&mut self, truth: f64, n: u32) -> PlacementCounts {
            let inboxes = (0..n).filter(|_| self.share() < truth).count() as u32;
            counts(inboxes, n - inboxes)
        }
    }

    const CAMPAIGNS: u32 = 200;
    const AT_LEAST: u32 = 180;

    /// How many of 200 made-up campaigns have an interval that holds the true rate. `name`: for the assertion.
    fn covered(name: &str, mut campaign: impl FnMut(&mut Dice) -> (f64, InboxRate)) {
        for seed in [1, 2, 3] {
            let mut dice = Dice(seed);
            let holds = (0..CAMPAIGNS)
                .filter(|_| {
                    let (truth, rate) = campaign(&mut dice);
                    rate.lower <= truth && truth <= rate.upper
                })
                .count() as u32;
            assert!(holds >= AT_LEAST, "{name}, seed {seed}: {holds} of {CAMPAIGNS}");
        }
    }

    #[test]
    fn the_plain_interval_holds_the_truth_in_at_least_nine_of_ten_campaigns() {
        for n in [5, 10, 16, 30, 100] {
            covered(&format!("{n} seeds"), |dice| {
                let truth = dice.between(0.5, 0.99);
                (truth, dice.copies(truth, n).rate().unwrap())
            });
        }
    }

    #[test]
    fn the_weighted_interval_holds_the_truth_in_at_least_nine_of_ten_campaigns() {
        const PROVIDERS: [MailboxProvider; 4] = [Google, Microsoft, Yahoo, Other];
        for n in [4, 8, 30] {
            covered(&format!("{n} seeds at each of four providers"), |dice| {
                let mix = PROVIDERS.map(|p| (p, dice.between(1.0, 10_000.0) as i64));
                let truths = PROVIDERS.map(|p| (p, dice.between(0.3, 0.99)));
                let people: i64 = mix.iter().map(|m| m.1).sum();
                let truth = mix.iter().zip(truths).map(|(m, t)| m.1 as f64 * t.1).sum::<f64>();
                let copies = truths.iter().map(|(p, t)| (*p, dice.copies(*t, n))).collect();
                (truth / people as f64, weighted(&copies, &mix).unwrap().rate)
            });
        }
    }

    #[test]
    fn the_interval_of_pooled_campaigns_holds_the_truth_that_they_share() {
        covered("four campaigns of six seeds at two providers", |dice| {
            let truths = [(Google, dice.between(0.4, 0.99)), (Yahoo, dice.between(0.4, 0.99))];
            let campaigns: Vec<ByProvider> = (0..4)
                .map(|_| truths.iter().map(|(p, t)| (*p, dice.copies(*t, 6))).collect())
                .collect();
            let mix = [(Google, 700), (Yahoo, 300)];
            let truth = 0.7 * truths[0].1 + 0.3 * truths[1].1;
            (truth, weighted(&pooled(&campaigns, 4).copies, &mix).unwrap().rate)
        });
    }
}
