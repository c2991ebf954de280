-- rows_end: rows that will not be sent end with their campaign
UPDATE deliveries SET state = $2, token = 0, updated_at = $3
FROM (SELECT value->>'b' AS b, value->>'i' AS i FROM jsonb_each($1)) v
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.state = 0
