//! What a view looks like, line by line.

use super::*;
use crate::commands::relay::{BrakeLine, LimitLine};
use postroad_campaign::{Apart, CanaryAct, CanaryReport, Inbox, Rate};
use postroad_model::MailboxProvider;
use postroad_model::campaign::CampaignState;
use std::collections::BTreeMap;

fn report() -> Report {
    Report {
        campaign: "december".into(),
        state: "running",
        state_detail: CampaignState::Running { since: postroad_model::Timestamp(0) },
        audience: 5_000,
        scheduled: 2_380,
        leased: 15,
        sending: 5,
        accepted: 2_588,
        rejected: 12,
        bounced: 0,
        unknown: 0,
        suppressed: 0,
        expired: 0,
        cancelled: 0,
        failed: 0,
        imbalance: 0,
        left_out: BTreeMap::new(),
        relays: BTreeMap::new(),
        came_back: Vec::new(),
        opens: None,
        tests: Apart::default(),
        seeds: Apart::default(),
        inbox: None,
        canary: None,
        starts_at: Some("2026-11-22T06:00:00.000Z".into()),
        ends_at: Some("2026-11-22T07:12:00.000Z".into()),
        expires_at: None,
        unreached: 0,
    }
}

fn relay_line(used: i64) -> RelayLine {
    RelayLine {
        relay: "ses-1".into(),
        profile: "ses".into(),
        host: "localhost".into(),
        port: 25,
        pools: Vec::new(),
        limits: vec![LimitLine {
            name: "day".into(),
            window: "24h".into(),
            limit: 50_000,
            used: Some(used),
            frees_at: None,
        }],
        served: true,
        paused_until: None,
        pause_reason: None,
        brakes: Vec::new(),
    }
}

fn view() -> View {
    View { at: "2026-11-22T06:40:12.345Z".into(), nodes: 2, ..View::default() }
}

fn check(view: &View, parts: &[&str]) {
    let text = text(view);
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_campaign_shows_progress_end_inbox_rate_and_canary() {
    let rate = Rate { ratio: 0.9, lower: 0.744, upper: 0.965, samples: 30 };
    let mut report = report();
    report.inbox = Some(Inbox {
        rate: Some(rate),
        estimate: true,
        weighted: true,
        covered: 0.88,
        uncovered: vec!["yahoo"],
        copies: BTreeMap::from([("inbox", 27), ("spam", 3), ("pending", 2)]),
        providers: BTreeMap::new(),
        relays: BTreeMap::new(),
    });
    report.canary = Some(CanaryReport {
        share: 0.01,
        min_inbox: 0.8,
        people: 50,
        sent: 37,
        seeds: 16,
        found: 12,
        decided: Some(CanaryAct::Began),
        waits: true,
        until: Some("2026-11-22T07:00:00.000Z".into()),
        why: None,
        at: None,
        by: None,
    });
    let view = View { campaigns: vec![report], ..view() };
    check(
        &view,
        &[
            "postroad  2026-11-22 06:40:12 UTC  2 nodes work\n",
            "  december               running   [██████████··········]  52 %  2,588 of 5,000 accepted, 12 rejected\n",
            " ends 2026-11-22 07:12, 2,380 waiting, 20 on the wire\n",
            " inbox about 90 % (74 to 97 %) of 30 copies, 2 pending; for 88 % of the audience\n",
            " canary 37 of 50 sent, 12 of 16 seeds found, until 2026-11-22T07:00:00.000Z\n",
            "RECENT TROUBLE\n  none\n",
        ],
    );
}

#[test]
fn a_relay_shows_its_quota_and_why_it_rests() {
    let mut paused = relay_line(49_999);
    (paused.relay, paused.served) = ("gmail".into(), false);
    paused.paused_until = Some("2026-11-22T09:00:00.000Z".into());
    paused.limits.push(LimitLine {
        name: "hour".into(),
        used: Some(3),
        ..paused.limits[0].clone()
    });
    let mut braked = relay_line(0);
    braked.brakes.push(BrakeLine {
        provider: Some(MailboxProvider::Google),
        until: "later".into(),
        reason: "spam".into(),
        by: "placement".into(),
    });
    let view = View { relays: vec![relay_line(25_000), paused, braked], ..view() };
    check(
        &view,
        &[
            "  ses-1                  served    [██████████··········]  50 %  25,000 of 50,000 in 24h\n",
            // Not full until it is.
            "  gmail                  paused    [███████████████████·]  99 %  49,999 of 50,000 in 24h\n",
            "\n                                   [····················]   0 %  3 of 50,000 in 24h\n",
            "  ses-1                  braked    [",
        ],
    );
}

#[test]
fn trouble_is_told_and_steers_no_terminal() {
    let trouble = |at: Option<&str>, what: &str| Trouble {
        at: at.map(str::to_owned),
        what: what.into(),
        weight: Weight::Act,
    };
    let mut named = report();
    named.campaign = "a-name-that-is-longer-than-its-column\u{1b}[2J".into();
    let view = View {
        campaigns: vec![named],
        more: 3,
        trouble: vec![
            trouble(None, "no node is running"),
            trouble(Some("2026-11-22T06:39:00.000Z"), "hard user_unknown\r\u{1b}[31m from google"),
        ],
        ..view()
    };
    check(
        &view,
        &[
            "  a-name-that-is-longer… running",
            "  and 3 more: `postroad campaign list`\n",
            "  no node is running\n",
            "  2026-11-22 06:39  hard user_unknown\u{FFFD}\u{FFFD}[31m from google\n",
        ],
    );
}
