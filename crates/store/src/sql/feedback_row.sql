-- feedback_row: a row that a token names
SELECT d.bucket, d.id, d.campaign_id, d.contact_id, d.address, d.address_hash, d.role, d.provider,
    COALESCE(d.bound_relay, d.lane_relay) AS relay, d.state, d.copy_no, d.reply, d.updated_at
FROM deliveries d WHERE d.bucket = $1 AND d.id = $2
