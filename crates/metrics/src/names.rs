//! Names, help texts and labels of every published number, in one place.
//!
//! Conventions are those of Prometheus: base units, `_total` for counters, no unit abbreviated. The labels'
//! values are told in the comment above each name; where a comment says `closed`, `labels.rs` lists them. The
//! user's guide (docs/guide/serve.md) has the same table, and a test compares them.

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// A value now.
    Gauge,
    /// Durations by upper bound.
    Histogram(&'static [f64]),
}

/// One published number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// What Prometheus shows.
    pub help: &'static str,
    /// Its labels, in the order in which the methods give their values.
    pub labels: &'static [&'static str],
    /// Its kind.
    pub kind: Kind,
}

const fn counter(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Definition {
    Definition { name, help, labels, kind: Kind::Counter }
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Definition {
    Definition { name, help, labels, kind: Kind::Gauge }
}

/// Seconds of one mail transaction: from a relay beside us to one that thinks for ten minutes after the dot.
const TRANSACTION: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];
/// Seconds a message waits: from at once to a week of quota.
const WAIT: &[f64] = &[
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0,
];

// Counted by this process.

/// campaign: its name; relay: its name; provider: closed (`MailboxProvider`); result: closed (`MessageResult`).
pub const MESSAGES: Definition = counter(
    "postroad_messages_total",
    "What became of messages, by the states of deliveries; deferred ones come again. Accepted is what a relay took.",
    &["campaign", "relay", "provider", "result"],
);
/// class: closed (`ReplyClass`); reason: closed (`Reason`), `none` for 2xx and 3xx. Made when first seen, but for 2xx.
pub const SMTP_REPLIES: Definition = counter(
    "postroad_smtp_replies_total",
    "Replies that decided a message or an attempt, by class and classified reason.",
    &["relay", "provider", "class", "reason"],
);
/// relay: its name; provider: closed.
pub const SEND_DURATION: Definition = Definition {
    name: "postroad_send_duration_seconds",
    help: "Time from MAIL FROM to the reply that decided the message.",
    labels: &["relay", "provider"],
    kind: Kind::Histogram(TRANSACTION),
};
/// provider: closed.
pub const DELIVERY_DELAY: Definition = Definition {
    name: "postroad_delivery_delay_seconds",
    help: "Time from when a message was due to its acceptance by a relay.",
    labels: &["provider"],
    kind: Kind::Histogram(WAIT),
};
/// relay: its name; state: closed (`ConnectionState`).
pub const CONNECTIONS: Definition = gauge(
    "postroad_relay_connections",
    "Open connections to a relay, by what they do.",
    &["relay", "state"],
);
/// campaign: its name; provider: closed.
pub const UNSUBSCRIBES: Definition = counter(
    "postroad_unsubscribes_total",
    "People who left a list through a campaign's link or their mail program's button.",
    &["campaign", "provider"],
);
/// route: closed (`HttpRoute`); class: closed (2xx to 5xx).
pub const HTTP_REQUESTS: Definition = counter(
    "postroad_http_requests_total",
    "HTTP requests answered, by route and class of status.",
    &["route", "class"],
);

// Read from the database before each scrape.

/// campaign: its name; state: closed (`DeliveryState`). The states sum to the audience.
pub const CAMPAIGN_RECIPIENTS: Definition = gauge(
    "postroad_campaign_recipients",
    "Recipients of a campaign by the state of their delivery; seeds and tests are not in it.",
    &["campaign", "state"],
);
/// campaign: its name.
pub const CAMPAIGN_AUDIENCE: Definition = gauge(
    "postroad_campaign_audience",
    "Recipients in the frozen audience of a campaign; absent before it is frozen.",
    &["campaign"],
);
/// campaign: its name; `from_domain`: domain of From; state: closed (`CampaignState::name`). Always 1.
pub const CAMPAIGN_INFO: Definition = gauge(
    "postroad_campaign_info",
    "Facts about a campaign, to be joined to the others by its name.",
    &["campaign", "from_domain", "state"],
);
/// campaign: its name; state: scheduled, deferred, leased, sending.
pub const QUEUE_MESSAGES: Definition = gauge(
    "postroad_queue_messages",
    "Messages still to be decided: not tried yet (scheduled), waiting for another try (deferred), with a lane (leased, sending).",
    &["campaign", "state"],
);
/// campaign: its name.
pub const QUEUE_OLDEST_AGE: Definition = gauge(
    "postroad_queue_oldest_age_seconds",
    "How long the oldest deferred message has been due for another try; 0 when none is due.",
    &["campaign"],
);
/// relay: its name, or `group:NAME` for relays that share an account; limit: its name; window: `24h`, `day in UTC`, ...
pub const QUOTA_LIMIT: Definition = gauge(
    "postroad_relay_quota_limit_messages",
    "What a limit allows in its window, after the reserve was taken off.",
    &["relay", "limit", "window"],
);
/// As `QUOTA_LIMIT`.
pub const QUOTA_USED: Definition = gauge(
    "postroad_relay_quota_used_messages",
    "What is reserved or used of a limit in its window.",
    &["relay", "limit", "window"],
);
/// relay: its name; reason: closed (`Reason`, operator, other, none). One series for each relay.
pub const RELAY_PAUSED: Definition = gauge(
    "postroad_relay_paused",
    "1 while a relay is paused, and why; 0 with the reason none otherwise.",
    &["relay", "reason"],
);
/// relay: its name. Absent while it is not paused.
pub const RELAY_PAUSED_UNTIL: Definition = gauge(
    "postroad_relay_paused_until_timestamp_seconds",
    "Until when a relay is paused.",
    &["relay"],
);
/// relay: its name.
pub const RELAY_LANE_HELD: Definition = gauge(
    "postroad_relay_lane_held",
    "1 while some node holds the relay's lane and may send through it.",
    &["relay"],
);
/// No labels.
pub const SNAPSHOT_SUCCESS: Definition = gauge(
    "postroad_snapshot_success",
    "1 when the gauges from the database are of this scrape; 0 when the database did not answer and they are absent.",
    &[],
);
/// version: of the program. Always 1.
pub const BUILD_INFO: Definition =
    gauge("postroad_build_info", "The running program.", &["version"]);

/// All of them.
pub const ALL: &[Definition] = &[
    MESSAGES,
    SMTP_REPLIES,
    SEND_DURATION,
    DELIVERY_DELAY,
    CONNECTIONS,
    UNSUBSCRIBES,
    HTTP_REQUESTS,
    CAMPAIGN_RECIPIENTS,
    CAMPAIGN_AUDIENCE,
    CAMPAIGN_INFO,
    QUEUE_MESSAGES,
    QUEUE_OLDEST_AGE,
    QUOTA_LIMIT,
    QUOTA_USED,
    RELAY_PAUSED,
    RELAY_PAUSED_UNTIL,
    RELAY_LANE_HELD,
    SNAPSHOT_SUCCESS,
    BUILD_INFO,
];
