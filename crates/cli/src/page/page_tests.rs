//! The page as a browser reads it.

use super::*;
use postroad_campaign::{CameBack, CanaryAct, CanaryReport, Inbox, RelayReport};
use postroad_model::campaign::CampaignState;
use scraper::{Html as Document, Selector};

const NASTY: &str = "<script>alert('x')</script> & \"q\"";

fn inbox() -> Inbox {
    let rate = |ratio, samples| {
        let wilson = postroad_model::placement::InboxRate::wilson;
        let found = wilson((ratio * f64::from(samples)) as u32, samples).unwrap();
        Some(Rate::from(found))
    };
    Inbox {
        rate: rate(0.8, 30),
        estimate: true,
        weighted: true,
        covered: 0.88,
        uncovered: vec!["yahoo"],
        copies: BTreeMap::from([("inbox", 20), ("promotions", 4), ("spam", 5), ("missing", 1)]),
        providers: BTreeMap::from([
            ("google", rate(0.5, 10)),
            ("microsoft", rate(0.95, 20)),
            ("apple", None),
        ]),
        relays: BTreeMap::from([("ses-1".into(), rate(0.6, 15)), ("ses-2".into(), rate(1.0, 15))]),
    }
}

fn report() -> Report {
    let line = |kind, reason, n| CameBack {
        kind,
        reason,
        provider: "google",
        relay: "ses-1".into(),
        n,
        by_address: 0,
    };
    let relay = |accepted| RelayReport { accepted, rejected: 20, deferred: 31, quota: Vec::new() };
    let finished = Timestamp::parse_rfc3339("2026-11-22T07:12:00Z").unwrap();
    Report {
        campaign: NASTY.into(),
        state: "finished",
        state_detail: CampaignState::Finished { at: finished },
        audience: 5_000,
        scheduled: 0,
        leased: 0,
        sending: 0,
        accepted: 4_930,
        rejected: 40,
        bounced: 25,
        unknown: 2,
        suppressed: 3,
        expired: 0,
        cancelled: 0,
        failed: 0,
        imbalance: 0,
        left_out: BTreeMap::from([("unsubscribed".into(), 120), (NASTY.into(), 3)]),
        relays: BTreeMap::from([("ses-1".into(), relay(2_500)), ("ses-2".into(), relay(2_455))]),
        came_back: vec![
            line("hard", "user_unknown", 45),
            line("soft", "mailbox_full", 11),
            line("complaint", "complaint", 4),
        ],
        opens: None,
        tests: postroad_campaign::Apart::default(),
        seeds: postroad_campaign::Apart { total: 30, accepted: 30 },
        inbox: Some(inbox()),
        canary: Some(CanaryReport {
            share: 0.01,
            min_inbox: 0.8,
            people: 50,
            sent: 50,
            seeds: 16,
            found: 16,
            decided: Some(CanaryAct::Waived),
            waits: false,
            until: None,
            why: Some(NASTY.into()),
            at: None,
            by: Some("anna".into()),
        }),
        starts_at: Some("2026-11-22T06:00:00.000Z".into()),
        ends_at: Some("2026-11-22T07:12:00.000Z".into()),
        expires_at: None,
        unreached: 0,
    }
}

fn over_time() -> OverTime {
    let from = Timestamp::parse_rfc3339("2026-11-22T06:00:05Z").unwrap();
    let slots: Vec<i64> = (0..60).map(|i| if i == 30 { 0 } else { 40 + (i * 37) % 90 }).collect();
    OverTime { from, to: from.plus_ms(72 * 60_000), step_ms: 72_001, slots }
}

fn providers() -> Vec<(MailboxProvider, DeliveryState, i64)> {
    vec![
        (MailboxProvider::Google, DeliveryState::Accepted, 3_000),
        (MailboxProvider::Google, DeliveryState::Bounced, 25),
        (MailboxProvider::Microsoft, DeliveryState::Accepted, 1_930),
        (MailboxProvider::Microsoft, DeliveryState::Rejected, 40),
        (MailboxProvider::Other, DeliveryState::Unknown, 2),
        (MailboxProvider::Other, DeliveryState::Suppressed, 3),
    ]
}

fn page(report: &Report, lang: Lang) -> String {
    let (times, zone) = (over_time(), Zone::parse("Asia/Ho_Chi_Minh").unwrap());
    Page {
        report,
        subject: NASTY,
        from: "News <news@example.com>",
        zone: &zone,
        made_at: Timestamp::parse_rfc3339("2026-11-22T08:00:00Z").unwrap(),
        over_time: Some(&times),
        providers: &providers(),
        opted_out: 12,
        lang,
    }
    .html()
}

fn all(document: &Document, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    document.select(&selector).map(|e| words(e.text().collect())).collect()
}

#[test]
fn the_page_is_whole_fetches_nothing_and_escapes_everything() {
    let html = page(&report(), Lang::En);
    let document = Document::parse_document(&html);
    // A doctype and a closed page leave the parser nothing to mend.
    assert!(document.errors.is_empty(), "{:?}", document.errors);
    assert!(all(&document, "script, link, img, iframe, object, [src], [onload]").is_empty());
    for foreign in ["http:", "https:", "url(", "@import", "<script>alert"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    assert_eq!(all(&document, "h1"), [NASTY]);
    assert_eq!(all(&document, ".subject"), [NASTY]);
    assert!(html.len() < 60_000, "{} octets", html.len());
}

#[test]
fn the_page_has_every_number_with_its_meaning() {
    let document = Document::parse_document(&page(&report(), Lang::En));
    let tiles = all(&document, ".tile");
    assert_eq!(
        tiles,
        [
            "Audience5,000people",
            "Accepted4,95599.1 %",
            "Inbox rate (estimate)80 %63 to 90 %, 30 copies",
            "Refused or returned651.3 %",
            "Complaints40.08 %",
            "Unsubscribed120.24 %",
        ]
    );
    assert_eq!(all(&document, "p.good"), ["The sum is right: 5,000 = 5,000"]);
    let rows = all(&document, ".row").join("\n");
    for part in [
        "accepted by a relay4,930 (98.6 %)",
        "unknown: the answer was lost2 (0.04 %)",
        "hard: user unknown45 (",
        "whole campaign80 %: 63 to 90 %, 30 copies",
        "apple–",
        "unsubscribed120 (97.6 %)",
    ] {
        assert!(rows.contains(part), "no {part:?} in\n{rows}");
    }
    let tables = all(&document, "tbody tr");
    assert!(tables.contains(&"google3,0253,0002500100.0 %".to_owned()), "{tables:?}");
    assert!(tables.contains(&"ses-12,5002031".to_owned()), "{tables:?}");
    // Eight intervals: the campaign, providers and relays that have a rate.
    assert_eq!(all(&document, "svg.interval").len(), 5);
    assert_eq!(all(&document, "svg.columns").len(), 1);
    let labels = Selector::parse("svg").unwrap();
    assert!(document.select(&labels).all(|e| e.value().attr("aria-label").is_some()));
}

#[test]
fn a_sum_that_is_wrong_and_a_campaign_that_runs_say_so() {
    let mut wrong = report();
    (wrong.accepted, wrong.state) = (4_929, "running");
    let document = Document::parse_document(&page(&wrong, Lang::En));
    let warned = all(&document, "p.warn");
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(
        warned[0].starts_with("The campaign is running; these are the figures of"),
        "{warned:?}"
    );
    assert_eq!(warned[1], "The sum is NOT right: 4,999 = 5,000");
}

#[test]
fn without_seeds_and_without_anything_sent_the_page_says_what_it_can() {
    let mut bare = report();
    (bare.inbox, bare.canary) = (None, None);
    bare.came_back.clear();
    let zone = Zone::utc();
    let html = Page {
        report: &bare,
        subject: "",
        from: "",
        zone: &zone,
        made_at: Timestamp(0),
        over_time: None,
        providers: &[],
        opted_out: 0,
        lang: Lang::En,
    }
    .html();
    let document = Document::parse_document(&html);
    let tiles = all(&document, ".tile");
    assert!(tiles.contains(&"Inbox rate–not measured".to_owned()), "{tiles:?}");
    assert!(html.contains("Nothing came back."));
    assert!(all(&document, "svg.columns, svg.interval").is_empty());
}

#[test]
fn the_page_speaks_vietnamese() {
    let document = Document::parse_document(&page(&report(), Lang::Vi));
    assert_eq!(all(&document, "p.good"), ["Tổng khớp: 5.000 = 5.000"]);
    assert!(all(&document, ".tile").contains(&"Khiếu nại40,08 %".to_owned()));
    let html = Selector::parse("html").unwrap();
    assert_eq!(document.select(&html).next().unwrap().value().attr("lang"), Some("vi"));
}
