-- explain_delivery: one recipient's rows of a campaign (index deliveries_once)
SELECT d.bucket, d.id, d.role, d.address, d.provider, d.rank, d.state, d.not_before, p.name AS pinned, d.attempt,
    d.tries, d.blocks, d.copy_no, r.name AS relay, d.first_leased_at, d.mail_from, d.bound_date, d.code, d.enhanced,
    d.reply, d.detail, d.updated_at
FROM deliveries d LEFT JOIN relays r ON r.id = d.lane_relay LEFT JOIN relays p ON p.id = d.pinned_relay
WHERE d.bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND d.campaign_id = $1 AND d.role = $2
    AND d.address_hash = $3
ORDER BY d.slot
