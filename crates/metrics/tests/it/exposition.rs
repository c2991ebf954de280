//! What a scrape sees, and what promtool says about it.

use crate::placements::placements;
use postroad_metrics::{
    BrakeGauges, CampaignGauges, ConnectionState, FeedbackGauges, HttpRoute, LaneGauges, Metrics,
    Preflight, PreflightCheck, QuotaGauges, ReplyClass, Snapshot, names,
};
use postroad_model::MailboxProvider::{Google, Other};
use postroad_model::Timestamp;
use postroad_model::delivery::DeliveryState;
use postroad_model::open::OpenKind;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_testkit::skip;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const NOW: Timestamp = Timestamp(1_795_300_000_000);

fn campaign(name: &str) -> CampaignGauges {
    CampaignGauges {
        name: name.into(),
        state: "running".into(),
        from_domain: "news.example.com".into(),
        audience: Some(10),
        recipients: BTreeMap::from([(DeliveryState::Scheduled, 7), (DeliveryState::Accepted, 3)]),
        deferred: 2,
        oldest_due: Some(NOW.plus_ms(-90_000)),
        opens: Some(BTreeMap::from([((Google, OpenKind::Proxy), 2)])),
    }
}

pub fn snapshot(campaigns: &[&str]) -> Snapshot {
    Snapshot {
        at: NOW,
        campaigns: campaigns.iter().map(|name| campaign(name)).collect(),
        quotas: vec![QuotaGauges {
            relay: "gmail-anna".into(),
            limit: "day".into(),
            window: "24h".into(),
            amount: 450,
            used: 120,
        }],
        lanes: vec![
            LaneGauges {
                relay: "gmail-anna".into(),
                lease_until: NOW.plus_ms(10_000),
                pause: Some((NOW.plus_ms(60_000), "quota".into(), "engine".into())),
            },
            LaneGauges {
                relay: "ses-1".into(),
                lease_until: NOW.plus_ms(-1),
                pause: Some((NOW.plus_ms(-60_000), "login".into(), "engine".into())),
            },
        ],
        brakes: vec![BrakeGauges {
            relay: None,
            provider: Some(Google),
            by: "feedback".into(),
            reason: "complaint: 0.4 % of 2,000".into(),
        }],
        feedback: campaigns.iter().map(|name| hard_bounces(name)).collect(),
        nodes_alive: Some(2),
        took: Duration::from_millis(4),
    }
}

fn hard_bounces(campaign: &str) -> FeedbackGauges {
    FeedbackGauges {
        campaign: campaign.into(),
        relay: "ses-1".into(),
        provider: Other,
        kind: BounceKind::Hard,
        reason: Reason::BadMailbox,
        count: 2,
    }
}

/// Metrics in which every number has a series.
pub fn everything() -> Metrics {
    let metrics = Metrics::new("0.1.0");
    metrics.campaign_started("autumn", &["gmail-anna", "ses-1"], &[Google, Other]);
    metrics.outcome("autumn", "gmail-anna", Google, DeliveryState::Accepted);
    metrics.outcome("autumn", "gmail-anna", Google, DeliveryState::Leased);
    metrics.deferred("autumn", "ses-1", Other);
    metrics.smtp_reply("ses-1", Other, ReplyClass::of_code(451), Some(Reason::Greylisted));
    metrics.send_duration("ses-1", Other, Duration::from_millis(80));
    metrics.delivery_delay(Other, Duration::from_secs(20));
    metrics.connections("ses-1", ConnectionState::Busy, 4);
    metrics.unsubscribed("autumn", Google);
    metrics.opened("autumn", Google, OpenKind::Proxy);
    metrics.http_request(HttpRoute::Unsubscribe, 200);
    metrics.came_back("autumn", "ses-1", Other, BounceKind::Hard, Reason::BadMailbox);
    metrics.came_back("autumn", "ses-1", Other, BounceKind::AutoReply, Reason::AutoReply);
    metrics.came_back("autumn", "ses-1", Google, BounceKind::Complaint, Reason::Complaint);
    let domain = "news.example.com".to_owned();
    metrics.preflight(&[Preflight { domain, check: PreflightCheck::Dmarc, passed: false }]);
    metrics.seed_login_failed(Google);
    metrics.seed_arrived(Google, Duration::from_secs(40));
    metrics.set_snapshot(&snapshot(&["autumn"]));
    metrics.set_placements(&placements(&["autumn"]));
    metrics
}

#[track_caller]
pub fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line {line:?} in\n{text}");
}

#[test]
fn what_happened_is_counted_under_its_labels() {
    let text = everything().render().unwrap();
    for line in [
        r#"postroad_messages_total{campaign="autumn",provider="google",relay="gmail-anna",result="accepted"} 1"#,
        r#"postroad_messages_total{campaign="autumn",provider="other",relay="ses-1",result="deferred"} 1"#,
        r#"postroad_smtp_replies_total{class="4xx",provider="other",reason="greylisted",relay="ses-1"} 1"#,
        r#"postroad_send_duration_seconds_bucket{provider="other",relay="ses-1",le="0.1"} 1"#,
        r#"postroad_delivery_delay_seconds_count{provider="other"} 1"#,
        r#"postroad_relay_connections{relay="ses-1",state="busy"} 4"#,
        r#"postroad_unsubscribes_total{campaign="autumn",provider="google"} 1"#,
        r#"postroad_http_requests_total{class="2xx",route="unsubscribe"} 1"#,
        r#"postroad_bounces_total{campaign="autumn",kind="hard",provider="other",reason="bad_mailbox",relay="ses-1"} 1"#,
        r#"postroad_bounces_total{campaign="autumn",kind="hard",provider="google",reason="bad_mailbox",relay="ses-1"} 0"#,
        r#"postroad_bounces_total{campaign="autumn",kind="autoreply",provider="other",reason="auto_reply",relay="ses-1"} 1"#,
        r#"postroad_complaints_total{campaign="autumn",provider="google",relay="ses-1"} 1"#,
        r#"postroad_complaints_total{campaign="autumn",provider="other",relay="ses-1"} 0"#,
        r#"postroad_opens_total{campaign="autumn",kind="proxy",provider="google"} 1"#,
        r#"postroad_opens_total{campaign="autumn",kind="human",provider="apple"} 0"#,
        r#"postroad_preflight_check{check="dmarc",domain="news.example.com"} 0"#,
        r#"postroad_build_info{version="0.1.0"} 1"#,
    ] {
        assert_line(&text, line);
    }
}

#[test]
fn a_started_campaign_has_every_result_at_zero_before_the_first_event() {
    let metrics = Metrics::new("0.1.0");
    metrics.campaign_started("autumn", &["ses-1"], &[Google]);
    let text = metrics.render().unwrap();
    for state in DeliveryState::ALL.into_iter().filter(|s| !s.is_open()) {
        let result = state.as_str();
        assert_line(
            &text,
            &format!(
                r#"postroad_messages_total{{campaign="autumn",provider="google",relay="ses-1",result="{result}"}} 0"#
            ),
        );
    }
    assert_line(&text, r#"postroad_unsubscribes_total{campaign="autumn",provider="yahoo"} 0"#);
}

#[test]
fn gauges_are_what_the_snapshot_says() {
    let text = everything().render().unwrap();
    for line in [
        r#"postroad_campaign_recipients{campaign="autumn",state="accepted"} 3"#,
        r#"postroad_campaign_recipients{campaign="autumn",state="bounced"} 0"#,
        r#"postroad_campaign_audience{campaign="autumn"} 10"#,
        r#"postroad_campaign_info{campaign="autumn",from_domain="news.example.com",state="running"} 1"#,
        r#"postroad_queue_messages{campaign="autumn",state="scheduled"} 5"#,
        r#"postroad_queue_messages{campaign="autumn",state="deferred"} 2"#,
        r#"postroad_queue_oldest_age_seconds{campaign="autumn"} 90"#,
        r#"postroad_relay_quota_limit_messages{limit="day",relay="gmail-anna",window="24h"} 450"#,
        r#"postroad_relay_quota_used_messages{limit="day",relay="gmail-anna",window="24h"} 120"#,
        r#"postroad_relay_paused{reason="quota",relay="gmail-anna"} 1"#,
        r#"postroad_relay_paused{reason="none",relay="ses-1"} 0"#,
        r#"postroad_relay_lane_held{relay="gmail-anna"} 1"#,
        r#"postroad_relay_lane_held{relay="ses-1"} 0"#,
        r#"postroad_campaign_feedback{campaign="autumn",kind="hard",provider="other",reason="bad_mailbox",relay="ses-1"} 2"#,
        r#"postroad_campaign_imbalance{campaign="autumn"} 0"#,
        r#"postroad_brake_active{by="feedback",provider="google",reason="complaint",relay="all"} 1"#,
        "postroad_nodes_alive 2",
        "postroad_snapshot_duration_seconds 0.004",
        "postroad_snapshot_success 1",
    ] {
        assert_line(&text, line);
    }
}

#[test]
fn a_campaign_that_left_the_snapshot_has_no_series_and_others_keep_theirs() {
    let metrics = everything();
    metrics.campaign_started("winter", &["ses-1"], &[Google]);
    metrics.outcome("winter", "ses-1", Google, DeliveryState::Accepted);
    metrics.set_snapshot(&snapshot(&["winter"]));
    let text = metrics.render().unwrap();
    assert!(!text.contains("autumn"), "{text}");
    assert_line(
        &text,
        r#"postroad_messages_total{campaign="winter",provider="google",relay="ses-1",result="accepted"} 1"#,
    );
}

#[test]
fn a_database_that_does_not_answer_leaves_no_old_gauges() {
    let metrics = everything();
    metrics.snapshot_failed();
    let text = metrics.render().unwrap();
    assert!(!text.contains("postroad_campaign_recipients"), "{text}");
    assert_line(&text, "postroad_snapshot_success 0");
    assert_line(
        &text,
        r#"postroad_messages_total{campaign="autumn",provider="google",relay="gmail-anna",result="accepted"} 1"#,
    );
}

#[test]
fn every_defined_number_is_published() {
    let text = everything().render().unwrap();
    for definition in names::ALL {
        assert_line(&text, &format!("# HELP {} {}", definition.name, definition.help));
    }
    let published = text.lines().filter(|l| l.starts_with("# HELP ")).count();
    assert_eq!(published, names::ALL.len());
}

#[test]
fn promtool_finds_nothing_to_say() {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            skip("no promtool here; run: apt-get install prometheus");
            return;
        }
        Err(e) => panic!("promtool: {e}"),
    };
    let text = everything().render().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{}: {said}", output.status);
}
