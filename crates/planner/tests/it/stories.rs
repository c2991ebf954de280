//! Campaigns as people plan them, with the explanation that they see.

use crate::inputs::{HCM, a_day, at, calendar, campaign, relay, rolling, window};
use postroad_model::MailboxProvider::{Google, Microsoft, Other};
use postroad_model::limit::CalendarPeriod;
use postroad_model::plan::{Outlook, Plan};
use postroad_planner::{Brake, BrakeForce, Error, PlanInput, check, explain, plan};
use std::path::Path;

/// Plans, checks, and compares the explanation with `tests/golden/NAME.plan`; `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, input: &PlanInput) -> Plan {
    let made = plan(input).unwrap();
    assert_eq!(check(&made, input), [], "{name}");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.plan"));
    let text = explain(&made);
    #[expect(clippy::disallowed_methods, reason = "the switch that rewrites golden files")]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}: if the change is meant, run again with UPDATE_GOLDEN=1");
    made
}

fn gmails_and_ses(people: i64) -> PlanInput {
    let mut input = campaign(
        "2026-11-30 09:00",
        HCM,
        &[(Google, people / 2), (Microsoft, people / 4), (Other, people - people / 2 - people / 4)],
    );
    relay(&mut input, "gmail-a", vec![a_day(450)]);
    relay(&mut input, "gmail-b", vec![a_day(450)]);
    relay(&mut input, "ses", vec![a_day(10_000), rolling("rate", 14, 1)]);
    input
}

#[test]
fn two_gmail_accounts_and_ses_take_two_days() {
    let made = golden("two-gmail-and-ses", &gmails_and_ses(12_400));
    let line = made.forecast.to_string();
    assert!(
        line.starts_with(
            "12,400 people; gmail-a 450/day, gmail-b 450/day, ses 10,000/day; ends Tue 1 Dec"
        ),
        "{line}"
    );
}

#[test]
fn office_hours_in_another_zone_spread_a_campaign() {
    let mut input =
        campaign("2026-11-27 16:00", "Europe/Paris", &[(Google, 30_000), (Other, 25_000)]);
    relay(&mut input, "ses", vec![a_day(200_000), rolling("rate", 1, 1)]);
    window(&mut input, "mon-fri 09:00-17:30", "Europe/Paris");
    golden("office-hours", &input);
}

#[test]
fn a_campaign_that_cannot_end_before_its_expiry_says_by_how_much() {
    let mut input = gmails_and_ses(12_400);
    input.expires_at = Some(at("2026-11-30 20:00", HCM));
    let made = golden("expires", &input);
    let Outlook::Expires { left, would_end, .. } = made.forecast.outlook else {
        panic!("{}", made.forecast)
    };
    assert_eq!(left, 1_500);
    assert_eq!(
        would_end,
        match plan(&gmails_and_ses(12_400)).unwrap().forecast.outlook {
            Outlook::Ends { at } => Some(at),
            Outlook::Expires { .. } | Outlook::Never { .. } => None,
        }
    );
}

#[test]
fn a_small_account_and_a_large_audience_never_end() {
    let mut input = campaign("2026-11-30 09:00", HCM, &[(Other, 1_000_000)]);
    relay(&mut input, "gmail-a", vec![a_day(450)]);
    golden("never", &input);
}

#[test]
fn calendar_limits_free_at_midnight_of_their_zone() {
    let mut input = campaign("2026-11-29 22:00", HCM, &[(Other, 2_500)]);
    relay(&mut input, "brevo", vec![calendar(CalendarPeriod::Day, 300, "Europe/Paris")]);
    relay(&mut input, "mailjet", vec![calendar(CalendarPeriod::Month, 900, "UTC")]);
    golden("calendar", &input);
}

#[test]
fn usage_of_today_holds_back_what_it_used() {
    let mut input = campaign("2026-11-30 09:00", HCM, &[(Other, 450)]);
    relay(&mut input, "gmail-a", vec![a_day(450)]);
    let (limit, book) = &mut input.accounts[0].limits[0];
    book.reserve(limit, input.now.plus_ms(-20 * 3_600_000), 400).unwrap();
    golden("used", &input);
}

#[test]
fn relays_of_one_account_share_its_limit() {
    let mut input = campaign("2026-11-30 09:00", HCM, &[(Other, 2_000)]);
    relay(&mut input, "ses-1", vec![a_day(1_000)]);
    let mut second = input.relays[0].clone();
    second.name = "ses-2".into();
    input.relays.push(second);
    golden("group", &input);
}

#[test]
fn brakes_are_waited_for_and_a_braked_provider_blocks_no_other() {
    let mut input = gmails_and_ses(2_000);
    let brake = |relay: Option<&str>, provider, force, until: Option<&str>| Brake {
        relay: relay.map(str::to_owned),
        provider,
        force,
        until: until.map(|t| at(t, HCM)),
    };
    input.brakes = vec![
        brake(Some("ses"), None, BrakeForce::Stop, Some("2026-12-02 08:00")),
        brake(None, Some(Google), BrakeForce::Stop, Some("2026-12-01 12:00")),
        brake(None, Some(Microsoft), BrakeForce::PerHour(10), None),
    ];
    golden("brakes", &input);
}

#[test]
fn a_provider_stopped_for_good_leaves_its_recipients() {
    let mut input = gmails_and_ses(2_000);
    input.brakes =
        vec![Brake { relay: None, provider: Some(Google), force: BrakeForce::Stop, until: None }];
    assert_eq!(plan(&input).unwrap().forecast.outlook, Outlook::Never { left: 1_000 });
}

#[test]
fn an_hour_that_the_clocks_skip_is_not_sent_in() {
    let mut input = campaign("2027-03-28 00:00", "Europe/Paris", &[(Other, 9_000)]);
    relay(&mut input, "own", vec![rolling("rate", 1, 1)]);
    window(&mut input, "01:00-04:00", "Europe/Paris");
    golden("spring", &input);
    let mut input = campaign("2026-10-25 00:00", "Europe/Paris", &[(Other, 14_000)]);
    relay(&mut input, "own", vec![rolling("rate", 1, 1)]);
    window(&mut input, "01:00-04:00", "Europe/Paris");
    golden("autumn", &input);
}

#[test]
fn ten_million_recipients_are_planned_by_their_limits_not_one_by_one() {
    let mut input = campaign("2026-11-30 09:00", HCM, &[(Google, 6_000_000), (Other, 4_000_000)]);
    for i in 0..10 {
        let limits = vec![a_day(50_000), rolling("rate", 14, 1), rolling("hour", 10_000, 3_600)];
        relay(&mut input, &format!("ses-{i}"), limits);
    }
    let made = plan(&input).unwrap();
    assert_eq!(check(&made, &input), []);
    assert!(made.sendings.len() < 50_000, "{}", made.sendings.len());
}

#[test]
fn what_contradicts_itself_is_refused() {
    let check = |change: &dyn Fn(&mut PlanInput), expected: &str| {
        let mut input = gmails_and_ses(10);
        change(&mut input);
        let error = plan(&input).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|i| i.relays.clear(), "pool newsletter has no relay");
    check(
        &|i| i.latest_start = Some(i.now.plus_ms(-1)),
        "after its latest start Mon 30 Nov 2026 08:59",
    );
    check(&|i| i.expires_at = Some(i.now), "expires at Mon 30 Nov 2026 09:00 Asia/Ho_Chi_Minh");
    check(&|i| i.accounts.clear(), "of which no limits were given");
    check(&|i| i.cohorts[0].count = -1, "less than nothing");
    let mut input = gmails_and_ses(10);
    input.accounts[0].limits[0].0 = calendar(CalendarPeriod::Day, 5, "Mars/Olympus");
    assert!(matches!(plan(&input), Err(Error::Limit { .. })));
}

#[test]
fn the_linter_sees_what_a_plan_breaks() {
    let mut input = gmails_and_ses(2_000);
    window(&mut input, "09:00-17:00", HCM);
    let good = plan(&input).unwrap();
    let check = |change: &dyn Fn(&mut Plan), expected: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let found: Vec<String> = check(&bad, &input).iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|v| v.contains(expected)), "{expected}: {found:?}");
    };
    check(&|p| p.slices[0].count -= 1, "999 recipients of google are planned, there are 1000");
    check(&|p| p.slices[0].not_before = at("2026-11-30 08:00", HCM), "slice of google");
    check(&|p| p.sendings[0].count += 451, "are allowed");
    check(&|p| p.sendings[0].count -= 1, "are forecast as sent or left");
    check(&|p| p.sendings[0].until = p.sendings[0].until.plus_ms(86_400_000), "outside");
}
