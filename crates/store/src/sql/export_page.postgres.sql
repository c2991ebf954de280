-- export_page: a page of an audience's rows for export, by the primary key
SELECT d.id, d.address, d.state, r.name AS relay, d.code, d.enhanced, d.reply, d.updated_at
FROM deliveries d LEFT JOIN relays r ON r.id = d.lane_relay
WHERE d.bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND d.id > $2 AND d.campaign_id = $1
    AND d.role = 0 AND d.state IN (SELECT jsonb_array_elements_text($3::jsonb)::bigint)
ORDER BY d.id LIMIT $4
