-- feedback_refusals: refusals at SMTP time since $1 that no event tells of yet (attempts_refused; events' key)
SELECT d.bucket, d.id, d.campaign_id, d.contact_id, d.address, d.address_hash, d.role, d.provider,
    a.relay_id AS relay, d.state, d.copy_no, d.reply, d.updated_at,
    a.attempt, a.at, a.phase, a.code, a.enhanced, a.reply AS said
FROM attempts a JOIN deliveries d ON d.bucket = a.bucket AND d.id = a.delivery_id
WHERE a.outcome IN ('rejected', 'blocked') AND a.at >= $1 AND a.code IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM events v WHERE v.dedup = 'smtp:' || a.bucket || '-' || a.delivery_id || '.' || a.attempt)
ORDER BY a.at LIMIT $2
