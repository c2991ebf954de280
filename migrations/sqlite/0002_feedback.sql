-- What comes back. New columns of events are absent (NULL) in rows that are older or not about an address.

ALTER TABLE events ADD COLUMN address_hash INTEGER;
ALTER TABLE events ADD COLUMN relay_id INTEGER;
ALTER TABLE events ADD COLUMN provider INTEGER;
-- hard, soft, block, complaint, autoreply, other; and the reason, both by the names of crates/model
ALTER TABLE events ADD COLUMN bounce TEXT;
ALTER TABLE events ADD COLUMN reason TEXT;
-- 1: found by a token, about a row of the audience. What holds campaigns and rests relays counts these alone: anybody may
-- write a mail about an address, and seeds and tests are ours.
ALTER TABLE events ADD COLUMN proven INTEGER;
-- Strikes of an address; how often a relay is blocked somewhere; how often a campaign meets a reason.
CREATE INDEX events_address ON events (address_hash, at) WHERE address_hash IS NOT NULL;
CREATE INDEX events_relay ON events (relay_id, reason, at) WHERE proven = 1;
CREATE INDEX events_back ON events (campaign_id, reason, at) WHERE proven = 1;

-- Refusals that no event tells of yet are found by their time.
CREATE INDEX attempts_refused ON attempts (at) WHERE outcome IN ('rejected', 'blocked');

-- What came back by campaign, relay and mailbox provider. weak: found by address and time alone, which no brake counts.
CREATE TABLE tallies (
    campaign_id INTEGER NOT NULL,
    relay_id    INTEGER NOT NULL,
    provider    INTEGER NOT NULL,
    bounce      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    n           INTEGER NOT NULL,
    weak        INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, relay_id, provider, bounce, reason)
) STRICT, WITHOUT ROWID;

-- Mails that were not understood, for a person to look at; gone at expires_at.
CREATE TABLE raw_mails (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    digest     TEXT NOT NULL UNIQUE,
    source     TEXT NOT NULL,
    why        TEXT NOT NULL,
    raw        BLOB NOT NULL
) STRICT;
