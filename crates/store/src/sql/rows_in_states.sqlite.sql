-- rows_in_states: a page of a campaign's rows in some states, by the primary key
SELECT bucket, id FROM deliveries
WHERE +bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND id > $2 AND +campaign_id = $1 AND ($6 = -1 OR +role = $6)
    AND +state IN (SELECT value FROM json_each($3))
    AND updated_at <= $4
ORDER BY id LIMIT $5
