//! The canary's verdict, its seeds, and the brake by placement, case by case.

use crate::canary::{
    Canary, CanaryLook, CanarySeed, CanaryVerdict, SeedRow, first_seeds, placement_brake,
    wants_earlier,
};
use crate::placement::Placement;
use crate::{MailboxProvider, RelayId, Timestamp};
use Placement::{Inbox, Missing, NotSent, Other, Pending, Promotions, Spam, Unknown};
use std::collections::BTreeMap;
use std::time::Duration;

const CANARY: Canary = Canary { share: 0.01, wait: Duration::from_secs(1800), min_inbox: 0.8 };
const TAKEN: Timestamp = Timestamp(1_000_000);

fn seeds(placements: &[(u32, Placement)]) -> Vec<CanarySeed> {
    let seed = |placement| CanarySeed {
        placement,
        accepted_at: (placement != NotSent).then_some(TAKEN),
        looks: 1,
        row: SeedRow::Ended,
    };
    let of = |(n, p): &(u32, Placement)| vec![seed(*p); *n as usize];
    placements.iter().flat_map(of).collect()
}

fn look(placements: &[(u32, Placement)]) -> CanaryLook {
    CanaryLook { began_at: Timestamp(0), share_open: false, seeds: seeds(placements) }
}

fn named(verdict: &CanaryVerdict) -> &'static str {
    match verdict {
        CanaryVerdict::Waits { .. } => "waits",
        CanaryVerdict::Good { .. } => "good",
        CanaryVerdict::TooFew { .. } => "few",
        CanaryVerdict::Bad { .. } => "bad",
    }
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
        let verdict = CANARY.judge(&look(placements), TAKEN.plus(CANARY.wait));
        assert_eq!(named(&verdict), expected, "{placements:?}: {verdict:?}");
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
    // Sixteen were sent, so sixteen's rule holds, however few say something.
    check(&[(15, Inbox), (1, Unknown)], "bad");
    check(&[(4, Inbox), (12, Unknown)], "bad");
    check(&[(29, Inbox), (1, Unknown)], "good");
    check(&[(4, Inbox), (12, NotSent)], "good");
}

#[test]
fn a_mailbox_that_fails_is_waited_for_and_what_nobody_looked_for_says_nothing() {
    let over = TAKEN.plus(CANARY.wait);
    let check = |look: &CanaryLook, now: Timestamp, expected: &str| {
        let verdict = CANARY.judge(look, now);
        assert_eq!(named(&verdict), expected, "{look:?}: {verdict:?}");
    };
    check(&look(&[(4, Inbox), (11, Unknown)]), TAKEN.plus_ms(15_000), "waits");
    check(&look(&[(4, Inbox), (11, Unknown)]), over, "good");
    let mut pending = look(&[(4, Inbox), (2, Pending)]);
    check(&pending, over, "bad");
    pending.seeds.iter_mut().for_each(|s| s.looks = 0);
    check(&pending, over.plus_ms(-1), "waits");
    check(&pending, over, "good");
}

#[test]
fn the_canary_takes_twenty_seeds_that_see_every_relay_and_provider() {
    let (google, yahoo) = (MailboxProvider::Google, MailboxProvider::Yahoo);
    let check = |copies: &[(RelayId, MailboxProvider)], first: usize| {
        let chosen = first_seeds(copies, &CANARY);
        let mut cells = BTreeMap::new();
        for (pair, chosen) in copies.iter().zip(&chosen) {
            *cells.entry(*pair).or_insert(0) += u32::from(*chosen);
        }
        assert_eq!(chosen.iter().filter(|c| **c).count(), first, "{cells:?}");
        assert!(cells.values().all(|n| *n > 0), "{cells:?}");
        cells
    };
    let of = |relays: i64, each: usize| -> Vec<(RelayId, MailboxProvider)> {
        let pairs = (1..=relays).flat_map(|r| [(RelayId(r), google), (RelayId(r), yahoo)]);
        pairs.cycle().take(each * usize::try_from(relays).unwrap() * 2).collect()
    };
    check(&[], 0);
    check(&of(2, 4), 16);
    // Twenty-four relays and providers: one each.
    check(&of(12, 3), 24);
    // Three relays, two providers, four each: both providers are seen well through one relay.
    let cells = check(&of(3, 4), 20);
    assert_eq!((cells[&(RelayId(1), google)], cells[&(RelayId(1), yahoo)]), (4, 4));
    check(&of(1, 50), 20);
    // What follows is spread over the run.
    let strict = Canary { min_inbox: 0.9, ..CANARY };
    assert_eq!(first_seeds(&of(1, 50), &strict).iter().filter(|c| **c).count(), 44);
    let later = first_seeds(&of(1, 50), &CANARY).iter().rposition(|c| *c).unwrap();
    assert!(later > 80, "{later}");
}

#[test]
fn the_seeds_that_go_first_can_prove_what_is_asked_for() {
    for percent in 1..=99_u8 {
        let canary = Canary { min_inbox: f64::from(percent) / 100.0, ..CANARY };
        let proof = canary.proof().unwrap();
        let judge = |n| canary.judge(&look(&[(n, Inbox)]), TAKEN.plus(CANARY.wait));
        assert!(matches!(judge(proof), CanaryVerdict::Good { .. }), "{percent} %: {proof}");
        assert!(!canary.cannot_prove(proof as usize) && !canary.cannot_prove(15));
        if proof > 16 {
            assert!(matches!(judge(proof - 1), CanaryVerdict::Bad { .. }), "{percent} %: {proof}");
            assert!(canary.cannot_prove(proof as usize - 1) && canary.cannot_prove(16));
        }
        let many = vec![(RelayId(1), MailboxProvider::Google); 1000];
        let first = first_seeds(&many, &canary).iter().filter(|c| **c).count();
        assert!(first >= proof as usize, "{percent} %: {first} of {proof}");
    }
    let proof = |min_inbox| Canary { min_inbox, ..CANARY }.proof();
    assert_eq!((proof(0.8), proof(0.9), proof(1.0)), (Some(16), Some(35), None));
    assert!(Canary { min_inbox: 1.0, ..CANARY }.cannot_prove(1000));
}

#[test]
fn a_held_canary_says_why() {
    let check = |placements: &[(u32, Placement)], part: &str| match CANARY
        .judge(&look(placements), TAKEN.plus(CANARY.wait))
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
        CanaryVerdict::Good { .. } | CanaryVerdict::TooFew { .. } | CanaryVerdict::Bad { .. } => {
            None
        }
    };
    let over = TAKEN.plus(CANARY.wait);
    let pending = look(&[(15, Inbox), (1, Pending)]);
    assert_eq!(waits(&pending, over.plus_ms(-1)), Some(Some(over)));
    assert_eq!(waits(&pending, over), None, "a pending copy counts as missing");
    assert!(matches!(CANARY.judge(&pending, over), CanaryVerdict::Bad { .. }));
    let share = CanaryLook { share_open: true, ..look(&[(16, Inbox)]) };
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
    let none = CanaryLook { share_open: true, ..look(&[]) };
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
fn one_misplaced_copy_never_brakes_whatever_is_asked_for() {
    for min_inbox in [0.8, 0.9, 0.95, 1.0] {
        for good in 3..40 {
            let sent: Vec<Placement> = [vec![Inbox; good], vec![Spam]].concat();
            assert_eq!(placement_brake(&sent, min_inbox), None, "{good} and one at {min_inbox}");
        }
        assert!(placement_brake(&[Inbox, Spam, Missing, Inbox], min_inbox).is_some());
    }
}

#[test]
fn few_copies_of_which_one_is_misplaced_want_those_of_earlier_campaigns() {
    for few in [&[Spam][..], &[Spam, Missing], &[Inbox, Inbox, Spam], &[Unknown, Spam, Pending]] {
        assert!(wants_earlier(few), "{few:?}");
    }
    for none in [&[][..], &[Inbox; 3], &[Spam; 4], &[Unknown, Other, NotSent, Pending]] {
        assert!(!wants_earlier(none), "{none:?}");
    }
    // Good ones before it outweigh it, bad ones do not.
    assert_eq!(placement_brake(&[Inbox, Inbox, Inbox, Inbox, Spam], 0.8), None);
    assert!(placement_brake(&[Inbox, Spam, Spam, Spam], 0.8).is_some());
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
