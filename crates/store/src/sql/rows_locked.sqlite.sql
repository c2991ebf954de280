-- rows_locked: what the rows of a batch are now
SELECT d.bucket, d.id, d.role, d.state, d.lane_relay, d.provider, d.copy_no, d.content_hash, d.mail_from
FROM jsonb_each($1) v JOIN deliveries d ON d.id = v.value->>'i' AND d.bucket = v.value->>'b'
WHERE d.campaign_id = $2 AND d.state IN (SELECT value FROM json_each($3))
ORDER BY d.id
