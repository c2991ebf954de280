-- stop_write: end rows that no final dot may follow any more; token 0 makes the next W2 of a leased one fail
UPDATE deliveries SET state = 6, detail = $2, token = 0, updated_at = $3
FROM json_to_recordset($1::json) AS v(b bigint, i bigint)
WHERE deliveries.bucket = v.b AND deliveries.id = v.i AND deliveries.state IN (0, 1)
