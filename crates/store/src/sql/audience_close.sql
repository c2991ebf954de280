-- audience_close: the audience is what became rows
UPDATE campaigns SET updated_at = $2, audience = (
    SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM counters WHERE campaign_id = $1 AND role = 0 AND state < 100)
WHERE id = $1
RETURNING audience
