-- lease_read: what the locked rows are now, with everything that may forbid to send them
SELECT d.bucket, d.id, d.campaign_id, d.role, d.contact_id, d.address, d.provider, d.rank, d.attempt, d.tries,
    d.blocks, d.copy_no, d.first_leased_at, d.bound_relay, d.mail_from, d.bound_date, d.content_hash,
    CASE WHEN c.state = 'running' THEN 1::bigint ELSE 0::bigint END AS runs,
    CASE WHEN c.state = 'cancelled' THEN 1::bigint ELSE 0::bigint END AS cancelled,
    CASE WHEN c.expires_at <= $2 THEN 1::bigint ELSE 0::bigint END AS expired,
    CASE WHEN EXISTS (SELECT 1 FROM suppressions s WHERE s.address_hash = d.address_hash AND s.scope = 0)
        THEN 1::bigint ELSE 0::bigint END AS suppressed,
    CASE WHEN d.role <> 0 OR EXISTS (
            SELECT 1 FROM campaign_lists l
            JOIN subscriptions b ON b.list_id = l.list_id AND b.contact_id = d.contact_id AND b.state = 1
            WHERE l.campaign_id = d.campaign_id
                AND NOT EXISTS (SELECT 1 FROM suppressions s
                    WHERE s.address_hash = d.address_hash AND s.scope = l.list_id))
        THEN 1::bigint ELSE 0::bigint END AS subscribed,
    CASE WHEN d.role = 1
        THEN COALESCE((SELECT s.name FROM seed_copies s WHERE s.delivery_id = d.id), p.name) ELSE p.name END AS name,
    CASE WHEN d.role = 1
        THEN (SELECT (COALESCE(p.attributes, '{}')::jsonb || s.attributes::jsonb)::text FROM seed_copies s
            WHERE s.delivery_id = d.id)
        ELSE p.attributes END AS attributes
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint)
JOIN deliveries d ON d.bucket = v.b AND d.id = v.i
JOIN campaigns c ON c.id = d.campaign_id
LEFT JOIN contacts p ON p.id = d.contact_id AND p.erased_at IS NULL
WHERE d.state = 0
