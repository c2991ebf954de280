-- lease_pinned: tests, seeds and greylisted rows that wait for this relay (index deliveries_pinned)
SELECT json_group_array(json_array(bucket, id)) FROM (
SELECT bucket, id FROM deliveries
WHERE state = 0 AND pinned_relay <> 0 AND pinned_relay = $1 AND not_before <= $2
    AND campaign_id IN (SELECT id FROM campaigns WHERE state = 'running' AND window_open_at <= $2
        AND (window_close_at IS NULL OR window_close_at > $2) AND ($4 = 0 OR id = $4))
ORDER BY CASE role WHEN 2 THEN 0 ELSE 1 END, not_before LIMIT $3
)
