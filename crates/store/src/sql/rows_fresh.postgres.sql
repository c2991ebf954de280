-- rows_fresh: a slice of the rows that nobody has tried (index deliveries_fresh)
SELECT bucket, id FROM deliveries
WHERE state = 0 AND not_before = 0 AND pinned_relay = 0 AND campaign_id = $1
    AND bucket = (SELECT bucket FROM campaigns WHERE id = $1)
LIMIT $2
