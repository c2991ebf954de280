-- look_up: what rows are now
SELECT d.bucket, d.id, d.state, d.token
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint) JOIN deliveries d ON d.bucket = v.b AND d.id = v.i
