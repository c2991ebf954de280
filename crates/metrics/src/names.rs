//! Names, help texts and labels of every published number, in one place.
//!
//! Conventions are those of Prometheus: base units, `_total` for counters, no unit abbreviated. The labels'
//! values are told in the comment above each name; where a comment says `closed`, `labels.rs` lists them. The
//! user's guide (docs/guide/serve.md) has the same tables, and a test compares them.

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
    help: "Time from the first lease of a message to its acceptance by a relay.",
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
/// campaign: its name; provider: closed; kind: closed (`OpenKind`). Made for campaigns that count opens.
pub const OPENS: Definition = counter(
    "postroad_opens_total",
    "First fetches of a message's image, each message once for each kind: human, a provider's image proxy, or a prefetch.",
    &["campaign", "provider", "kind"],
);
/// campaign, relay: their names; provider, kind: closed (`BounceKind` but complaint); reason: closed (`Reason`). The
/// usual reason of each kind is made with the campaign, others when first seen.
pub const BOUNCES: Definition = counter(
    "postroad_bounces_total",
    "What came back and was recorded, by kind and reason; complaints are counted apart.",
    &["campaign", "relay", "provider", "kind", "reason"],
);
/// campaign, relay: their names; provider: closed.
pub const COMPLAINTS: Definition = counter(
    "postroad_complaints_total",
    "People who called a campaign's message spam, as feedback reports say.",
    &["campaign", "relay", "provider"],
);
/// provider: closed.
pub const SEED_LOGINS_FAILED: Definition = counter(
    "postroad_seed_logins_failed_total",
    "Logins into seed mailboxes that were refused.",
    &["provider"],
);
/// provider: closed.
pub const SEED_ARRIVAL: Definition = Definition {
    name: "postroad_seed_arrival_seconds",
    help: "Time from a relay's acceptance of a seed's copy to its arrival in the mailbox.",
    labels: &["provider"],
    kind: Kind::Histogram(WAIT),
};
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
/// campaign, relay: their names; provider: closed; kind: closed (`BounceKind`); reason: closed (`Reason`).
pub const CAMPAIGN_FEEDBACK: Definition = gauge(
    "postroad_campaign_feedback",
    "What came back about a campaign's messages, by kind and reason: bounces, complaints, automatic answers.",
    &["campaign", "relay", "provider", "kind", "reason"],
);
/// As `OPENS`.
pub const CAMPAIGN_OPENS: Definition = gauge(
    "postroad_campaign_opens",
    "Opened messages of a campaign's audience, each once by the surest kind that was seen; seeds and tests are not in it.",
    &["campaign", "provider", "kind"],
);
/// campaign: its name.
pub const CAMPAIGN_IMBALANCE: Definition = gauge(
    "postroad_campaign_imbalance",
    "Recipients in the frozen audience less the sum of the states; anything but 0 is a fault of the program.",
    &["campaign"],
);
/// relay: its name or `all`; provider: closed or `all`; by: closed (`brake_setter`); reason: closed (as pauses).
pub const BRAKE_ACTIVE: Definition = gauge(
    "postroad_brake_active",
    "1 while a brake stands on a relay, a mailbox provider or both; absent otherwise.",
    &["relay", "provider", "by", "reason"],
);
/// No labels.
pub const NODES_ALIVE: Definition =
    gauge("postroad_nodes_alive", "Nodes whose heartbeat is fresh and that did not stop.", &[]);
/// domain: a sending domain of the configuration; check: closed (`PreflightCheck`).
pub const PREFLIGHT: Definition = gauge(
    "postroad_preflight_check",
    "1 when a check of a sending domain passed, 0 when it failed; absent when it was not made.",
    &["domain", "check"],
);
/// No labels.
pub const SNAPSHOT_DURATION: Definition = gauge(
    "postroad_snapshot_duration_seconds",
    "How long the database took for the gauges of this scrape.",
    &[],
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

// Read from the database too: where the copies for seed mailboxes landed.

/// campaign, relay: their names; provider: closed; placement: closed (`Placement`).
pub const SEED_PLACEMENTS: Definition = gauge(
    "postroad_seed_placements",
    "Copies of a campaign for seed mailboxes, by where they are; promotions stands for all tabs but the first.",
    &["campaign", "relay", "provider", "placement"],
);
/// campaign: its name; relay: its name or `all`; provider: closed or `all`.
pub const INBOX_RATIO: Definition = gauge(
    "postroad_inbox_ratio",
    "Estimated inbox rate: inbox with its tabs / (those, spam and missing); with all and all, weighted by the audience's providers.",
    &["campaign", "relay", "provider"],
);
/// As `INBOX_RATIO`.
pub const INBOX_RATIO_LOWER: Definition = gauge(
    "postroad_inbox_ratio_lower",
    "Lower end of the inbox rate's 95 % interval.",
    &["campaign", "relay", "provider"],
);
/// As `INBOX_RATIO`.
pub const INBOX_RATIO_UPPER: Definition = gauge(
    "postroad_inbox_ratio_upper",
    "Upper end of the inbox rate's 95 % interval.",
    &["campaign", "relay", "provider"],
);
/// As `INBOX_RATIO`.
pub const INBOX_SAMPLES: Definition = gauge(
    "postroad_inbox_samples",
    "Copies that the inbox rate rests on: inbox with its tabs, spam and missing.",
    &["campaign", "relay", "provider"],
);
/// campaign: its name.
pub const INBOX_TARGET: Definition = gauge(
    "postroad_inbox_target_ratio",
    "The inbox rate that the operator wants at least.",
    &["campaign"],
);
/// relay: its name or `all`; provider: closed or `all`.
pub const INBOX_POOLED_RATIO: Definition = gauge(
    "postroad_inbox_pooled_ratio",
    "Estimated inbox rate over the last campaigns together.",
    &["relay", "provider"],
);
/// As `INBOX_POOLED_RATIO`.
pub const INBOX_POOLED_LOWER: Definition = gauge(
    "postroad_inbox_pooled_ratio_lower",
    "Lower end of the 95 % interval of the inbox rate over the last campaigns.",
    &["relay", "provider"],
);
/// As `INBOX_POOLED_RATIO`.
pub const INBOX_POOLED_UPPER: Definition = gauge(
    "postroad_inbox_pooled_ratio_upper",
    "Upper end of the 95 % interval of the inbox rate over the last campaigns.",
    &["relay", "provider"],
);
/// As `INBOX_POOLED_RATIO`.
pub const INBOX_POOLED_SAMPLES: Definition = gauge(
    "postroad_inbox_pooled_samples",
    "Copies that the inbox rate over the last campaigns rests on.",
    &["relay", "provider"],
);
/// campaign, relay: their names; provider: closed. Always 1.
pub const SEED_UNCOVERED: Definition = gauge(
    "postroad_seed_uncovered",
    "1 for a relay and mailbox provider of a campaign that no seed looks at.",
    &["campaign", "relay", "provider"],
);
/// campaign: its name; provider: closed; method: closed (`AuthMethod`); result: closed (`AuthResult`).
pub const SEED_AUTHENTICATION: Definition = gauge(
    "postroad_seed_authentication",
    "Copies in seed mailboxes by what the mailbox provider said of their SPF, DKIM and DMARC.",
    &["campaign", "provider", "method", "result"],
);
/// provider: closed.
pub const SEED_CHECK_AGE: Definition = gauge(
    "postroad_seed_check_age_seconds",
    "How long ago the longest unseen seed mailbox of a provider was looked into.",
    &["provider"],
);

/// All of them.
pub const ALL: &[Definition] = &[
    MESSAGES,
    SMTP_REPLIES,
    SEND_DURATION,
    DELIVERY_DELAY,
    CONNECTIONS,
    UNSUBSCRIBES,
    OPENS,
    BOUNCES,
    COMPLAINTS,
    SEED_LOGINS_FAILED,
    SEED_ARRIVAL,
    HTTP_REQUESTS,
    CAMPAIGN_RECIPIENTS,
    CAMPAIGN_AUDIENCE,
    CAMPAIGN_INFO,
    CAMPAIGN_FEEDBACK,
    CAMPAIGN_OPENS,
    CAMPAIGN_IMBALANCE,
    QUEUE_MESSAGES,
    QUEUE_OLDEST_AGE,
    QUOTA_LIMIT,
    QUOTA_USED,
    RELAY_PAUSED,
    RELAY_PAUSED_UNTIL,
    RELAY_LANE_HELD,
    BRAKE_ACTIVE,
    NODES_ALIVE,
    PREFLIGHT,
    SNAPSHOT_SUCCESS,
    SNAPSHOT_DURATION,
    BUILD_INFO,
    SEED_PLACEMENTS,
    INBOX_RATIO,
    INBOX_RATIO_LOWER,
    INBOX_RATIO_UPPER,
    INBOX_SAMPLES,
    INBOX_TARGET,
    INBOX_POOLED_RATIO,
    INBOX_POOLED_LOWER,
    INBOX_POOLED_UPPER,
    INBOX_POOLED_SAMPLES,
    SEED_UNCOVERED,
    SEED_AUTHENTICATION,
    SEED_CHECK_AGE,
];
