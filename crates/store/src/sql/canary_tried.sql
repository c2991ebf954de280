-- canary_tried: rows of the audience that were tried and are not done; while a rank limit holds, all are of its share
-- (indexes deliveries_due and deliveries_pinned; the counters for what lanes hold)
SELECT (SELECT count(*) FROM deliveries
        WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0 AND role = 0 AND campaign_id = $1)
    + (SELECT count(*) FROM deliveries WHERE state = 0 AND pinned_relay <> 0 AND role = 0 AND campaign_id = $1)
    + (SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM counters WHERE campaign_id = $1 AND role = 0 AND state IN (1, 2))
