-- lease_read: what the locked rows are now, with everything that may forbid to send them, as one JSON text
SELECT json_group_array(json_array(d.bucket, d.id, d.campaign_id, d.role, d.contact_id, d.address, d.provider, d.rank, d.attempt, d.tries,
    d.blocks, d.copy_no, d.first_leased_at, d.bound_relay, d.mail_from, d.bound_date, d.content_hash,
    CASE WHEN c.state = 'running' THEN 1 ELSE 0 END,
    CASE WHEN c.state = 'cancelled' THEN 1 ELSE 0 END,
    CASE WHEN c.expires_at <= $2 THEN 1 ELSE 0 END,
    CASE WHEN EXISTS (SELECT 1 FROM suppressions s WHERE s.address_hash = d.address_hash AND s.scope = 0)
        THEN 1 ELSE 0 END,
    CASE WHEN d.role <> 0 OR EXISTS (
            SELECT 1 FROM campaign_lists l
            JOIN subscriptions b ON b.list_id = l.list_id AND b.contact_id = d.contact_id AND b.state = 1
            WHERE l.campaign_id = d.campaign_id
                AND NOT EXISTS (SELECT 1 FROM suppressions s
                    WHERE s.address_hash = d.address_hash AND s.scope = l.list_id))
        THEN 1 ELSE 0 END,
    CASE WHEN d.role = 1
        THEN COALESCE((SELECT s.name FROM seed_copies s WHERE s.delivery_id = d.id), p.name) ELSE p.name END,
    CASE WHEN d.role = 1
        THEN (SELECT json_patch(COALESCE(p.attributes, '{}'), s.attributes) || '' FROM seed_copies s WHERE s.delivery_id = d.id)
        ELSE p.attributes END))
FROM jsonb_each($1) v
JOIN deliveries d ON d.id = v.value->>'i'
JOIN campaigns c ON c.id = d.campaign_id
LEFT JOIN contacts p ON p.id = d.contact_id AND p.erased_at IS NULL
WHERE d.state = 0
