-- Opens of a campaign's audience by mailbox provider and kind (the names of crates/model): each row once, by the surest kind
-- that its events tell of. Written with the event, so that no reader counts events.
CREATE TABLE open_tallies (
    campaign_id INTEGER NOT NULL,
    provider    INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    n           INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, provider, kind)
) STRICT, WITHOUT ROWID;
