-- lease_due: deferred and put-back rows whose time has come (index deliveries_due)
SELECT json_group_array(json_array(bucket, id)) FROM (
SELECT bucket, id FROM deliveries
WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0 AND pool_id = $1 AND not_before <= $2
    AND campaign_id IN (SELECT id FROM campaigns WHERE state = 'running' AND window_open_at <= $2
        AND (window_close_at IS NULL OR window_close_at > $2) AND ($4 = 0 OR id = $4))
    AND provider NOT IN (SELECT value FROM json_each($5))
ORDER BY not_before LIMIT $3
)
