-- rows_end: rows that will not be sent end with their campaign
UPDATE deliveries SET state = $2, token = 0, updated_at = $3
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint)
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.state = 0
