-- stop_find_left: lock open audience rows of these addresses in campaigns of whose lists none may mail them any more
SELECT d.bucket, d.id, d.campaign_id, d.role, d.lane_relay, d.state FROM deliveries d
WHERE d.state IN (0, 1) AND (d.bucket, d.id) IN (
    SELECT a.bucket, a.id FROM campaigns k JOIN deliveries a ON a.bucket = k.bucket AND a.campaign_id = k.id
        AND a.role = 0 AND a.slot = 0
        AND a.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
    WHERE k.state NOT IN ('finished', 'cancelled', 'missed') AND NOT EXISTS (
        SELECT 1 FROM campaign_lists l
        JOIN subscriptions b ON b.list_id = l.list_id AND b.contact_id = a.contact_id AND b.state = 1
        WHERE l.campaign_id = k.id AND NOT EXISTS (
            SELECT 1 FROM suppressions s WHERE s.address_hash = a.address_hash AND s.scope = l.list_id)))
ORDER BY d.id FOR UPDATE
