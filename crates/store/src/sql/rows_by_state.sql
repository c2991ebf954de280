-- rows_by_state: a campaign's rows counted one by one
SELECT state, COUNT(*) FROM deliveries
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = $2
GROUP BY state
