-- Seeds: mailboxes of our own that get a campaign too, and where their copies landed.

-- One row per delivery of role seed; the delivery row keeps its state.
CREATE TABLE seed_copies (
    delivery_id BIGINT PRIMARY KEY,
    bucket      BIGINT NOT NULL,
    -- immutable: what the plan of the freeze says; name and attributes are those of the configuration
    campaign_id BIGINT NOT NULL,
    mailbox     TEXT NOT NULL,
    relay_id    BIGINT NOT NULL,
    provider    BIGINT NOT NULL,
    rank        BIGINT NOT NULL,
    name        TEXT,
    attributes  TEXT NOT NULL,
    -- mutable: released by the supervisor, looked for by placement until closed_at
    released_at   BIGINT,
    placement     TEXT NOT NULL,
    folder        TEXT,
    tab           TEXT,
    accepted_at   BIGINT,
    arrived_at    BIGINT,
    spf           TEXT,
    dkim          TEXT,
    dmarc         TEXT,
    looks         BIGINT NOT NULL,
    next_look_at  BIGINT,
    trouble       TEXT,
    closed_at     BIGINT
);
CREATE INDEX seed_copies_campaign ON seed_copies (campaign_id, rank);
CREATE INDEX seed_copies_open ON seed_copies (mailbox) WHERE closed_at IS NULL;

-- Relays and mailbox providers of a campaign's audience that no seed could look at.
CREATE TABLE seed_gaps (
    campaign_id BIGINT NOT NULL,
    relay_id    BIGINT NOT NULL,
    provider    BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, relay_id, provider)
);

-- The seed mailboxes as they were last looked into.
CREATE TABLE seed_mailboxes (
    name      TEXT PRIMARY KEY,
    provider  BIGINT NOT NULL,
    since     BIGINT NOT NULL,
    looked_at BIGINT,
    failed_at BIGINT,
    trouble   TEXT
);

-- The frozen audience by mailbox provider: what inbox rates are weighted by.
CREATE TABLE audience_mix (
    campaign_id BIGINT NOT NULL,
    provider    BIGINT NOT NULL,
    n           BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, provider)
);
