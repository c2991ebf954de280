-- feedback_events_of: what came back for an address, the newest first, without opened images (index events_address)
SELECT v.id, v.at, v.kind, v.bounce, v.reason, k.name AS campaign, r.name AS relay, v.provider, d.address, v.data
FROM events v LEFT JOIN campaigns k ON k.id = v.campaign_id LEFT JOIN relays r ON r.id = v.relay_id
    LEFT JOIN deliveries d ON d.bucket = v.bucket AND d.id = v.delivery_id
WHERE v.address_hash = $5 AND v.id < $2 AND (v.campaign_id = $1 OR $1 = 0) AND (v.bounce = $3 OR $3 = '')
    AND (v.dedup IS NULL OR v.dedup NOT LIKE 'open:%')
ORDER BY v.id DESC LIMIT $4
