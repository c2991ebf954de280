-- lease_fresh: rows never tried, in rank order (index deliveries_fresh)
SELECT json_group_array(json_array(bucket, id)) FROM (
SELECT bucket, id FROM deliveries
WHERE state = 0 AND not_before = 0 AND pinned_relay = 0 AND campaign_id = $1 AND pool_id = $2 AND provider = $3
    AND bucket = (SELECT bucket FROM campaigns WHERE id = $1)
    AND rank <= (SELECT COALESCE(rank_limit, 9223372036854775807) FROM campaigns WHERE id = $1)
ORDER BY rank LIMIT $4
)
