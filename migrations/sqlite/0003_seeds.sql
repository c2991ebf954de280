-- Seeds: mailboxes of our own that get a campaign too, and where their copies landed.

-- One row per delivery of role seed; the delivery row keeps its state.
CREATE TABLE seed_copies (
    delivery_id INTEGER PRIMARY KEY,
    bucket      INTEGER NOT NULL,
    -- immutable: what the plan of the freeze says; name and attributes are those of the configuration
    campaign_id INTEGER NOT NULL,
    mailbox     TEXT NOT NULL,
    relay_id    INTEGER NOT NULL,
    provider    INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    name        TEXT,
    attributes  TEXT NOT NULL,
    -- mutable: released by the supervisor, looked for by placement until closed_at
    released_at   INTEGER,
    placement     TEXT NOT NULL,
    folder        TEXT,
    tab           TEXT,
    accepted_at   INTEGER,
    arrived_at    INTEGER,
    spf           TEXT,
    dkim          TEXT,
    dmarc         TEXT,
    looks         INTEGER NOT NULL,
    next_look_at  INTEGER,
    trouble       TEXT,
    closed_at     INTEGER
) STRICT;
CREATE INDEX seed_copies_campaign ON seed_copies (campaign_id, rank);
CREATE INDEX seed_copies_open ON seed_copies (mailbox) WHERE closed_at IS NULL;

-- Relays and mailbox providers of a campaign's audience that no seed could look at.
CREATE TABLE seed_gaps (
    campaign_id INTEGER NOT NULL,
    relay_id    INTEGER NOT NULL,
    provider    INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, relay_id, provider)
) STRICT, WITHOUT ROWID;

-- The seed mailboxes as they were last looked into.
CREATE TABLE seed_mailboxes (
    name      TEXT PRIMARY KEY,
    provider  INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    looked_at INTEGER,
    failed_at INTEGER,
    trouble   TEXT
) STRICT, WITHOUT ROWID;

-- The frozen audience by mailbox provider: what inbox rates are weighted by.
CREATE TABLE audience_mix (
    campaign_id INTEGER NOT NULL,
    provider    INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, provider)
) STRICT, WITHOUT ROWID;
