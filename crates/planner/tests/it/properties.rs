//! Properties over random campaigns: whatever the relays, limits, windows and usage, a plan keeps its promises.

use crate::inputs::{at, calendar, campaign, relay, rolling, window};
use postroad_model::MailboxProvider::{Google, Other, Yahoo};
use postroad_model::limit::{CalendarPeriod, Limit};
use postroad_model::plan::Outlook;
use postroad_planner::{Brake, BrakeForce, PlanInput, check, plan};
use proptest::prelude::*;

const ZONES: [&str; 4] =
    ["Europe/Paris", "Asia/Ho_Chi_Minh", "Australia/Lord_Howe", "America/New_York"];

/// Days around which clocks change, and one on which none does.
const STARTS: [&str; 5] = [
    "2026-10-03 20:00",
    "2026-10-24 21:30",
    "2026-11-30 09:07",
    "2027-03-27 22:00",
    "2027-04-03 12:00",
];

const HOURS: [&str; 5] = [
    "mon-fri 09:00-17:30",
    "daily 22:00-03:15",
    "01:45-02:15",
    "sat,sun 00:00-24:00",
    "00:00-24:00",
];

fn a_limit() -> impl Strategy<Value = Limit> {
    let zone = (0..ZONES.len()).prop_map(|i| ZONES[i]);
    prop_oneof![
        (1_i64..3_000).prop_map(|n| rolling("day", n, 86_400)),
        (1_i64..300).prop_map(|n| rolling("hour", n, 3_600)),
        (1_i64..60).prop_map(|n| rolling("ten", n, 600)),
        (1_i64..20, 1_u64..30).prop_map(|(n, s)| rolling("pace", n, s)),
        (1_i64..3_000, zone.clone()).prop_map(|(n, z)| calendar(CalendarPeriod::Day, n, z)),
        (1_i64..20_000, zone).prop_map(|(n, z)| calendar(CalendarPeriod::Month, n, z)),
    ]
}

/// A relay: its limits, and for each of them how much was used how many minutes ago.
type RelayDraft = (Vec<Limit>, Vec<(i64, i64)>);

fn an_input() -> impl Strategy<Value = PlanInput> {
    let usage = prop::collection::vec((0_i64..2_000, 0_i64..3_000), 0..4);
    let draft = (prop::collection::vec(a_limit(), 0..3), usage);
    (
        prop::collection::vec(draft, 1..4),
        (0..ZONES.len(), 0..STARTS.len(), prop::option::of(0..HOURS.len())),
        (0_i64..6_000, 0_i64..3_000, 0_i64..20),
        prop::option::of(1_i64..200),
        prop::option::of((0_i64..72, any::<bool>())),
    )
        .prop_map(|(drafts, (zone, start, hours), people, expires, stop)| {
            let people = [(Google, people.0), (Yahoo, people.1), (Other, people.2)];
            let mut input = campaign(STARTS[start], ZONES[zone], &people);
            for (i, draft) in drafts.into_iter().enumerate() {
                add(&mut input, &format!("r{i}"), draft);
            }
            if let Some(hours) = hours {
                window(&mut input, HOURS[hours], ZONES[zone]);
            }
            input.expires_at = expires.map(|h| input.now.plus_ms(h * 3_600_000));
            input.brakes.extend(stop.map(|(hours, slow)| Brake {
                relay: Some("r0".into()),
                provider: None,
                force: if slow { BrakeForce::PerHour(hours) } else { BrakeForce::Stop },
                until: Some(input.now.plus_ms(hours * 3_600_000)),
            }));
            input
        })
}

fn add(input: &mut PlanInput, name: &str, (limits, usage): RelayDraft) {
    relay(input, name, limits);
    let now = input.now;
    let account = input.accounts.last_mut().unwrap();
    let mut usage = usage;
    usage.sort_by_key(|(minutes, _)| -minutes);
    for (limit, book) in &mut account.limits {
        for (minutes, n) in &usage {
            let then = now.plus_ms(-minutes * 60_000);
            let free = book.free(limit, then).unwrap().amount;
            book.reserve(limit, then, free.min(*n)).unwrap();
        }
    }
}

fn end(input: &PlanInput) -> Option<i64> {
    match plan(input).unwrap().forecast.outlook {
        Outlook::Ends { at } => Some(at.0),
        Outlook::Expires { would_end, .. } => would_end.map(|t| t.0),
        Outlook::Never { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_promise_is_broken_and_the_same_input_gives_the_same_plan(input in an_input()) {
        let made = plan(&input).unwrap();
        prop_assert_eq!(check(&made, &input), []);
        prop_assert_eq!(plan(&input).unwrap(), made);
    }

    #[test]
    fn more_quota_never_ends_later(input in an_input(), which in any::<usize>(), more in 1_i64..2_000) {
        let mut richer = input.clone();
        let mut limits: Vec<&mut Limit> =
            richer.accounts.iter_mut().flat_map(|a| &mut a.limits).map(|(l, _)| l).collect();
        if !limits.is_empty() {
            let which = which % limits.len();
            limits[which].amount += more;
            let before = end(&input).unwrap_or(i64::MAX);
            let after = end(&richer).unwrap_or(i64::MAX);
            prop_assert!(after <= before, "{} later", after - before);
        }
    }

    #[test]
    fn another_relay_never_ends_later(input in an_input(), limits in prop::collection::vec(a_limit(), 0..2)) {
        let mut richer = input.clone();
        add(&mut richer, "more", (limits, Vec::new()));
        prop_assert!(end(&richer).unwrap_or(i64::MAX) <= end(&input).unwrap_or(i64::MAX));
    }

    #[test]
    fn no_hour_is_lost_or_doubled_when_the_clocks_change(zone in 0..ZONES.len(), start in 0..STARTS.len(), hours in 1_i64..100) {
        // 1 message a second and no limit: the end is as many seconds after the start as there are people.
        let mut input = campaign(STARTS[start], ZONES[zone], &[(Other, hours * 3_600)]);
        relay(&mut input, "r", vec![rolling("pace", 1, 1)]);
        let made = plan(&input).unwrap();
        prop_assert_eq!(end(&input), Some(at(STARTS[start], ZONES[zone]).0 + hours * 3_600_000));
        prop_assert_eq!(check(&made, &input), []);
    }
}
