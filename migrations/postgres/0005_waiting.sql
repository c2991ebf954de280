-- What a scrape asks of rows that wait for another try (whose campaign, whose row, since when) stands in the index itself: so it
-- reads no row, whatever waits.

DROP INDEX deliveries_pinned;
CREATE INDEX deliveries_pinned ON deliveries (pinned_relay, not_before, campaign_id, role)
    WHERE state = 0 AND pinned_relay <> 0;
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (pool_id, not_before, campaign_id, role)
    WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0;
