-- rows_locked: what the rows of a batch are now; rows that a lane is about to take are left for the next time
SELECT d.bucket, d.id, d.role, d.state, d.lane_relay, d.provider, d.copy_no, d.content_hash, d.mail_from
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint) JOIN deliveries d ON d.id = v.i AND d.bucket = v.b
WHERE d.campaign_id = $2 AND d.state IN (SELECT jsonb_array_elements_text($3::jsonb)::bigint)
ORDER BY d.id
FOR UPDATE OF d SKIP LOCKED
