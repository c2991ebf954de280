//! Seeds: the counts, and the rates that stand beside them with interval and sample size.

use crate::exposition::{NOW, assert_line, everything, snapshot};
use postroad_metrics::{CampaignPlacement, Metrics, PlacementCell, PlacementSnapshot, SeedMailbox};
use postroad_model::MailboxProvider::{self, Google, Microsoft};
use postroad_model::placement::{AuthMethod, AuthResult, InboxRate, Placement, PlacementCounts};

fn cell(relay: &str, provider: MailboxProvider, counts: &[(Placement, u32)]) -> PlacementCell {
    let mut all = PlacementCounts::default();
    for (placement, copies) in counts {
        all.add(*placement, *copies);
    }
    PlacementCell { relay: relay.into(), provider, counts: all }
}

/// Google: 5 + 2 of 8 through ses-1, 1 of 2 through gmail-anna; Microsoft: none of 3 through ses-1.
fn cells() -> Vec<PlacementCell> {
    use Placement::{Inbox, Missing, Other, Pending, Promotions, Spam, Unknown};
    vec![
        cell("ses-1", Google, &[(Inbox, 5), (Promotions, 2), (Missing, 1), (Pending, 4)]),
        cell("gmail-anna", Google, &[(Inbox, 1), (Spam, 1), (Other, 1)]),
        cell("ses-1", Microsoft, &[(Spam, 3), (Unknown, 2)]),
    ]
}

pub fn placements(campaigns: &[&str]) -> PlacementSnapshot {
    let campaign = |name: &&str| CampaignPlacement {
        campaign: (*name).into(),
        target: Some(0.8),
        cells: cells(),
        weighted: None,
        uncovered: vec![("gmail-anna".into(), Microsoft)],
        authentication: vec![
            (Google, AuthMethod::Dkim, AuthResult::Pass, 7),
            (Google, AuthMethod::Spf, AuthResult::Fail, 1),
        ],
    };
    PlacementSnapshot {
        at: NOW,
        campaigns: campaigns.iter().map(campaign).collect(),
        pooled: cells(),
        seeds: vec![
            SeedMailbox { provider: Google, looked_at: NOW.plus_ms(-90_000) },
            SeedMailbox { provider: Google, looked_at: NOW.plus_ms(-30_000) },
            SeedMailbox { provider: Microsoft, looked_at: NOW.plus_ms(5_000) },
        ],
    }
}

#[test]
fn counts_are_shown_as_they_are_at_zero_too() {
    let text = everything().render().unwrap();
    let check = |relay, provider, placement, copies| {
        assert_line(
            &text,
            &format!(
                r#"postroad_seed_placements{{campaign="autumn",placement="{placement}",provider="{provider}",relay="{relay}"}} {copies}"#
            ),
        );
    };
    check("ses-1", "google", "inbox", 5);
    check("ses-1", "google", "promotions", 2);
    check("ses-1", "google", "spam", 0);
    check("ses-1", "google", "pending", 4);
    check("ses-1", "microsoft", "unknown", 2);
    check("gmail-anna", "google", "other", 1);
    check("gmail-anna", "google", "not_sent", 0);
}

#[test]
fn rates_are_those_of_the_counts_and_never_without_samples() {
    let text = everything().render().unwrap();
    let check = |relay, provider, inboxes, samples| {
        let rate = InboxRate::wilson(inboxes, samples).unwrap();
        let labels = format!(r#"provider="{provider}",relay="{relay}"}}"#);
        for (name, value) in
            [("_ratio", rate.ratio), ("_ratio_lower", rate.lower), ("_ratio_upper", rate.upper)]
        {
            assert_line(
                &text,
                &format!(r#"postroad_inbox{name}{{campaign="autumn",{labels} {value}"#),
            );
            assert_line(&text, &format!("postroad_inbox_pooled{name}{{{labels} {value}"));
        }
        assert_line(
            &text,
            &format!(r#"postroad_inbox_samples{{campaign="autumn",{labels} {samples}"#),
        );
        assert_line(&text, &format!("postroad_inbox_pooled_samples{{{labels} {samples}"));
    };
    check("ses-1", "google", 7, 8);
    check("gmail-anna", "google", 1, 2);
    check("ses-1", "microsoft", 0, 3);
    check("ses-1", "all", 7, 11);
    check("gmail-anna", "all", 1, 2);
    check("all", "google", 8, 10);
    check("all", "all", 8, 13);
    assert!(!text.contains(r#"provider="microsoft",relay="gmail-anna"} 0"#), "no rate of nothing");
}

#[test]
fn a_rate_that_was_weighted_by_the_audience_stands_for_the_whole_campaign_only() {
    let metrics = everything();
    let mut weighted = placements(&["autumn"]);
    weighted.campaigns[0].weighted =
        Some(InboxRate { ratio: 0.5, lower: 0.25, upper: 0.75, samples: 13 });
    metrics.set_placements(&weighted);
    let text = metrics.render().unwrap();
    assert_line(&text, r#"postroad_inbox_ratio{campaign="autumn",provider="all",relay="all"} 0.5"#);
    assert_line(
        &text,
        r#"postroad_inbox_ratio{campaign="autumn",provider="google",relay="all"} 0.8"#,
    );
}

#[test]
fn what_else_is_known_of_seeds_is_shown() {
    let text = everything().render().unwrap();
    for line in [
        r#"postroad_inbox_target_ratio{campaign="autumn"} 0.8"#,
        r#"postroad_seed_uncovered{campaign="autumn",provider="microsoft",relay="gmail-anna"} 1"#,
        r#"postroad_seed_authentication{campaign="autumn",method="dkim",provider="google",result="pass"} 7"#,
        r#"postroad_seed_check_age_seconds{provider="google"} 90"#,
        r#"postroad_seed_check_age_seconds{provider="microsoft"} 0"#,
        r#"postroad_seed_logins_failed_total{provider="google"} 1"#,
        r#"postroad_seed_logins_failed_total{provider="microsoft"} 0"#,
        r#"postroad_seed_arrival_seconds_count{provider="google"} 1"#,
        r#"postroad_seed_arrival_seconds_count{provider="microsoft"} 0"#,
    ] {
        assert_line(&text, line);
    }
}

#[test]
fn a_second_reading_replaces_the_first() {
    let metrics = everything();
    metrics.set_placements(&placements(&["autumn"]));
    let text = metrics.render().unwrap();
    assert_line(
        &text,
        r#"postroad_seed_placements{campaign="autumn",placement="inbox",provider="google",relay="ses-1"} 5"#,
    );
    metrics.set_placements(&PlacementSnapshot::default());
    let text = metrics.render().unwrap();
    assert!(!text.contains("postroad_inbox_ratio{"), "{text}");
    assert!(!text.contains("postroad_seed_check_age_seconds{"), "{text}");
}

#[test]
fn placements_of_a_campaign_go_with_it_and_do_not_come_back() {
    let metrics = everything();
    metrics.set_snapshot(&snapshot(&["winter"]));
    let text = metrics.render().unwrap();
    assert!(!text.contains("autumn"), "{text}");
    metrics.set_placements(&placements(&["autumn", "winter"]));
    let text = metrics.render().unwrap();
    assert!(!text.contains("autumn"), "{text}");
    assert_line(&text, r#"postroad_inbox_target_ratio{campaign="winter"} 0.8"#);
}

#[test]
fn a_database_that_does_not_answer_leaves_no_old_placements() {
    let metrics: Metrics = everything();
    metrics.snapshot_failed();
    let text = metrics.render().unwrap();
    assert!(!text.contains("postroad_seed_placements{"), "{text}");
    assert!(!text.contains("postroad_inbox_ratio{"), "{text}");
}
