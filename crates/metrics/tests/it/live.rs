//! A real Prometheus with our rules scrapes a busy process: every panel's query has something to draw.

use crate::exposition::everything;
use postroad_metrics::{HttpRoute, Metrics, ReplyClass};
use postroad_model::MailboxProvider::{Google, Other};
use postroad_model::delivery::DeliveryState;
use postroad_model::verdict::{BounceKind, Reason};
use postroad_testkit::deploy::{filled_in, queries, read, recorded};
use postroad_testkit::{loopback, prometheus};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// What happens between two scrapes.
fn some_work(metrics: &Metrics) {
    for relay in ["gmail-anna", "ses-1"] {
        for provider in [Google, Other] {
            for state in [DeliveryState::Accepted, DeliveryState::Rejected, DeliveryState::Unknown]
            {
                metrics.outcome("autumn", relay, provider, state);
            }
            metrics.deferred("autumn", relay, provider);
            metrics.smtp_reply(relay, provider, ReplyClass::Success, None);
            metrics.smtp_reply(relay, provider, ReplyClass::Transient, Some(Reason::Greylisted));
            metrics.smtp_reply(relay, provider, ReplyClass::Permanent, Some(Reason::BadMailbox));
            metrics.send_duration(relay, provider, Duration::from_millis(80));
            metrics.delivery_delay(provider, Duration::from_secs(20));
            for (kind, reason) in [
                (BounceKind::Hard, Reason::BadMailbox),
                (BounceKind::Block, Reason::ReputationBlock),
                (BounceKind::Complaint, Reason::Complaint),
            ] {
                metrics.came_back("autumn", relay, provider, kind, reason);
            }
            metrics.seed_arrived(provider, Duration::from_secs(30));
        }
    }
    metrics.unsubscribed("autumn", Google);
    metrics.http_request(HttpRoute::Unsubscribe, 200);
}

/// Answers each scrape after some more work. HTTP/1.1 as far as Prometheus needs it.
fn publish(metrics: &Metrics, listener: &TcpListener) {
    for stream in listener.incoming() {
        some_work(metrics);
        // A scraper that went away gets nothing.
        let _ = stream.and_then(|stream| answer(stream, &metrics.render().unwrap()));
    }
}

fn answer(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        request.extend_from_slice(&byte);
    }
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}

#[test]
fn every_panels_query_and_every_recording_rule_gives_data() {
    let address = loopback::address();
    let listener = TcpListener::bind(address).unwrap();
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"postroad-*.yml\"]\nscrape_configs:\n  - job_name: postroad\n    static_configs: [{{ targets: [\"{address}\"] }}]\n"
    );
    let recording = read("deploy/prometheus/rules/postroad-recording.yml")
        .replace("interval: 30s", "interval: 1s");
    let alerts = read("deploy/prometheus/rules/postroad-alerts.yml");
    let files = [
        ("prometheus.yml", config.as_str()),
        ("postroad-recording.yml", recording.as_str()),
        ("postroad-alerts.yml", alerts.as_str()),
    ];
    let Some(mut prometheus) = prometheus::spawn(&files) else { return };
    std::thread::spawn(move || publish(&everything(), &listener));

    let panels: BTreeMap<String, String> =
        queries().into_iter().map(|q| (filled_in(&q.expression, "autumn"), q.of)).collect();
    let asked: Vec<String> = panels.keys().cloned().chain(recorded()).collect();
    let empty = prometheus.without_data(&asked);
    let told: Vec<String> = empty
        .iter()
        .map(|query| format!("{}\n    {query}", panels.get(query).map_or("a rule", |of| of)))
        .collect();
    assert!(
        told.is_empty(),
        "{} of {} draw nothing:\n  {}",
        told.len(),
        asked.len(),
        told.join("\n  ")
    );
}
