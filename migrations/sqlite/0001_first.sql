-- The first schema. Times are milliseconds since 1970 UTC, states and roles are the codes of crates/model.
-- "immutable" columns are written once, "mutable" ones by the named writes (docs/states.md).

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE nodes (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    stopped_at   INTEGER
) STRICT;

-- Once-only jobs: a node works on one only while it holds the row's lease.
CREATE TABLE jobs (
    name        TEXT PRIMARY KEY,
    node_id     INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    done_at     INTEGER,
    note        TEXT
) STRICT;

CREATE TABLE lists (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    title      TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE imports (
    id          INTEGER PRIMARY KEY,
    list_id     INTEGER NOT NULL,
    source      TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    undone_at   INTEGER,
    summary     TEXT
) STRICT;

CREATE TABLE contacts (
    -- numbers are not used again: an undone import must not give somebody's number to somebody else
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    -- immutable: who, found by the keyed hash; address and attributes are nulled by erase
    address        TEXT,
    address_hash   INTEGER NOT NULL UNIQUE,
    provider       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    created_import INTEGER,
    -- mutable: what later imports and the operator bring
    name           TEXT,
    attributes     TEXT NOT NULL,
    updated_at     INTEGER NOT NULL,
    updated_import INTEGER,
    erased_at      INTEGER
) STRICT;

-- What an import changed in contacts that stood before it, for undo.
CREATE TABLE import_changes (
    import_id  INTEGER NOT NULL,
    contact_id INTEGER NOT NULL,
    name       TEXT,
    attributes TEXT NOT NULL,
    -- which import the contact's data came from before
    prior_import INTEGER,
    PRIMARY KEY (import_id, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscriptions (
    list_id    INTEGER NOT NULL,
    contact_id INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    import_id  INTEGER,
    PRIMARY KEY (list_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_contact ON subscriptions (contact_id, list_id);

-- scope 0 is everywhere, otherwise a list. The hash outlives the address.
CREATE TABLE suppressions (
    id           INTEGER PRIMARY KEY,
    address_hash INTEGER NOT NULL,
    scope        INTEGER NOT NULL,
    address      TEXT,
    reason       TEXT NOT NULL,
    origin       TEXT NOT NULL,
    at           INTEGER NOT NULL,
    UNIQUE (address_hash, scope)
) STRICT;

CREATE TABLE relays (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE pools (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One row per relay: the right to send through it, held by one node at a time.
CREATE TABLE lanes (
    relay_id     INTEGER PRIMARY KEY,
    scope        TEXT NOT NULL,
    node_id      INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    lease_until  INTEGER NOT NULL,
    -- last time that anything may have been on the wire: the pacer's first wait
    busy_at      INTEGER NOT NULL,
    -- a pause that outlives the process: quota and login trouble, the operator's word
    paused_until INTEGER,
    pause_reason TEXT,
    pause_by     TEXT,
    pause_count  INTEGER NOT NULL
) STRICT;

-- The ledger: one row per limit, with its whole book (crates/model/src/ledger.rs).
CREATE TABLE limits (
    id     INTEGER PRIMARY KEY,
    scope  TEXT NOT NULL,
    name   TEXT NOT NULL,
    spec   TEXT NOT NULL,
    book   TEXT NOT NULL,
    UNIQUE (scope, name)
) STRICT;

-- relay 0 and provider -1 stand for any.
CREATE TABLE brakes (
    id       INTEGER PRIMARY KEY,
    relay_id INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    by_whom  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    UNIQUE (relay_id, provider)
) STRICT;

CREATE TABLE campaigns (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    pool_id    INTEGER NOT NULL,
    bucket     INTEGER NOT NULL,
    seed       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- mutable
    state      TEXT NOT NULL,
    state_data TEXT NOT NULL,
    settings   TEXT NOT NULL,
    audience   INTEGER,
    rank_limit INTEGER,
    start_at   INTEGER,
    expires_at INTEGER,
    window_open_at  INTEGER NOT NULL,
    window_close_at INTEGER,
    version    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX campaigns_state ON campaigns (state);

CREATE TABLE campaign_lists (
    campaign_id INTEGER NOT NULL,
    list_id     INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, list_id)
) STRICT, WITHOUT ROWID;

-- Why a contact of the campaign's lists is not in its audience.
CREATE TABLE left_out (
    campaign_id INTEGER NOT NULL,
    contact_id  INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (campaign_id, contact_id)
) STRICT, WITHOUT ROWID;

-- The audience while it is being frozen, in the order of its ranks; empty when no freeze is under way.
CREATE TABLE audience_stage (
    campaign_id INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    contact_id  INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, rank, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
    id          INTEGER PRIMARY KEY,
    campaign_id INTEGER NOT NULL,
    parent      INTEGER,
    created_at  INTEGER NOT NULL,
    plan        TEXT NOT NULL
) STRICT;

-- The open (campaign, pool, provider) queues, so that a claim walks them in turn.
CREATE TABLE queues (
    campaign_id INTEGER NOT NULL,
    pool_id     INTEGER NOT NULL,
    provider    INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, pool_id, provider)
) STRICT, WITHOUT ROWID;

-- One campaign x one address: the only place of a row's state.
CREATE TABLE deliveries (
    bucket          INTEGER NOT NULL,
    id              INTEGER PRIMARY KEY,
    -- immutable
    campaign_id     INTEGER NOT NULL,
    role            INTEGER NOT NULL,
    slot            INTEGER NOT NULL,
    contact_id      INTEGER,
    address         TEXT,
    address_hash    INTEGER NOT NULL,
    provider        INTEGER NOT NULL,
    pool_id         INTEGER NOT NULL,
    rank            INTEGER NOT NULL,
    -- mutable: W1, W2, W3 and the acts of docs/states.md
    state           INTEGER NOT NULL,
    not_before      INTEGER NOT NULL,
    pinned_relay    INTEGER NOT NULL,
    pinned_until    INTEGER NOT NULL,
    attempt         INTEGER NOT NULL,
    tries           INTEGER NOT NULL,
    blocks          INTEGER NOT NULL,
    copy_no         INTEGER NOT NULL,
    token           INTEGER NOT NULL,
    lane_relay      INTEGER NOT NULL,
    epoch           INTEGER NOT NULL,
    first_leased_at INTEGER,
    bound_relay     INTEGER,
    mail_from       TEXT,
    bound_date      INTEGER,
    content_hash    INTEGER,
    code            INTEGER,
    enhanced        TEXT,
    reply           TEXT,
    detail          TEXT,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX deliveries_once ON deliveries (bucket, campaign_id, role, slot, address_hash);
-- Fresh rows, then rows that wait for one relay, then deferred ones; nothing else is indexed on the state.
CREATE INDEX deliveries_fresh ON deliveries (campaign_id, pool_id, provider, rank)
    WHERE state = 0 AND not_before = 0 AND pinned_relay = 0;
CREATE INDEX deliveries_pinned ON deliveries (pinned_relay, not_before) WHERE state = 0 AND pinned_relay <> 0;
CREATE INDEX deliveries_due ON deliveries (pool_id, not_before) WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0;


-- By campaign, role, lane and state; summed on read. States of 100 and more are tallies (100: deferrals).
CREATE TABLE counters (
    campaign_id INTEGER NOT NULL,
    role        INTEGER NOT NULL,
    relay_id    INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, role, relay_id, state)
) STRICT, WITHOUT ROWID;

-- Every outcome that is not a plain acceptance; the delivery row itself keeps the last one.
CREATE TABLE attempts (
    bucket      INTEGER NOT NULL,
    delivery_id INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    relay_id    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    phase       TEXT,
    code        INTEGER,
    enhanced    TEXT,
    reply       TEXT,
    rule        TEXT,
    PRIMARY KEY (bucket, delivery_id, attempt)
) STRICT, WITHOUT ROWID;

-- What came back: unsubscribes now; bounces, complaints, placements, opens and clicks use the same table.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    campaign_id INTEGER,
    bucket      INTEGER,
    delivery_id INTEGER,
    contact_id  INTEGER,
    dedup       TEXT UNIQUE,
    data        TEXT NOT NULL
) STRICT;
CREATE INDEX events_delivery ON events (delivery_id);
CREATE INDEX events_campaign ON events (campaign_id) WHERE delivery_id IS NULL;

-- Mailbox provider by domain where the MX was looked up.
CREATE TABLE domain_providers (
    domain     TEXT PRIMARY KEY,
    provider   INTEGER NOT NULL,
    checked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
