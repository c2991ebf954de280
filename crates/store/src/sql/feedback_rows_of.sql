-- feedback_rows_of: what was sent to an address lately, the newest first (deliveries_once, campaign by campaign)
SELECT d.bucket, d.id, d.campaign_id, d.contact_id, d.address, d.address_hash, d.role, d.provider,
    COALESCE(d.bound_relay, d.lane_relay) AS relay, d.state, d.copy_no, d.reply, d.updated_at
FROM campaigns k JOIN deliveries d ON d.bucket = k.bucket AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0
    AND d.address_hash = $1
WHERE (k.updated_at > $2 OR k.state IN ('running', 'held', 'paused'))
    AND d.state IN (2, 3, 5, 10) AND d.updated_at > $2
ORDER BY d.updated_at DESC LIMIT 20
