-- Opens of a campaign's audience by mailbox provider and kind (the names of crates/model): each row once, by the surest kind
-- that its events tell of. Written with the event, so that no reader counts events.
CREATE TABLE open_tallies (
    campaign_id BIGINT NOT NULL,
    provider    BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    n           BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, provider, kind)
);
