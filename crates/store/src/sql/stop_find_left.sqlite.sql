-- stop_find_left: open audience rows of these addresses in campaigns of whose lists none may mail them any more
SELECT d.bucket, d.id, d.campaign_id, d.role, d.lane_relay, d.state
FROM json_each($1) v CROSS JOIN campaigns k CROSS JOIN deliveries d ON d.bucket = k.bucket
    AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0 AND d.address_hash = v.value
WHERE k.state NOT IN ('finished', 'cancelled', 'missed') AND d.state IN (0, 1) AND NOT EXISTS (
    SELECT 1 FROM campaign_lists l
    JOIN subscriptions b ON b.list_id = l.list_id AND b.contact_id = d.contact_id AND b.state = 1
    WHERE l.campaign_id = k.id AND NOT EXISTS (
        SELECT 1 FROM suppressions s WHERE s.address_hash = d.address_hash AND s.scope = l.list_id))
ORDER BY d.id
