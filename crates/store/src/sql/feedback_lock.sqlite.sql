-- feedback_lock: a row that something came back for, and whether its campaign may still send it
SELECT d.state, d.role, d.lane_relay, d.copy_no, d.content_hash,
    CASE WHEN k.state = 'cancelled' OR k.expires_at <= $3 THEN 1 ELSE 0 END AS over
FROM deliveries d JOIN campaigns k ON k.id = d.campaign_id
WHERE d.bucket = $1 AND d.id = $2
