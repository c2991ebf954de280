-- canary_waits: 1 while a row of the share is not done; while a rank limit holds, all that were tried are of the share
-- (index deliveries_fresh, one range for each queue; the counters; indexes deliveries_due and deliveries_pinned)
SELECT CAST(CASE
    WHEN EXISTS (SELECT 1 FROM counters WHERE campaign_id = $1 AND role = 0 AND state IN (1, 2) AND n > 0) THEN 1
    WHEN EXISTS (SELECT 1 FROM queues q
        JOIN deliveries d ON d.campaign_id = q.campaign_id AND d.pool_id = q.pool_id AND d.provider = q.provider
        WHERE q.campaign_id = $1 AND d.bucket = (SELECT bucket FROM campaigns WHERE id = $1)
            AND d.state = 0 AND d.not_before = 0 AND d.pinned_relay = 0 AND d.rank <= $2) THEN 1
    WHEN EXISTS (SELECT 1 FROM deliveries
        WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0 AND role = 0 AND campaign_id = $1) THEN 1
    WHEN EXISTS (SELECT 1 FROM deliveries WHERE state = 0 AND pinned_relay <> 0 AND role = 0 AND campaign_id = $1) THEN 1
    ELSE 0 END AS BIGINT)
