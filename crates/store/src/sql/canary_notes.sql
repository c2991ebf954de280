-- canary_notes: what a campaign's canary came to, or its brakes by placement, in order (index events_campaign)
SELECT at, data FROM events WHERE campaign_id = $1 AND kind = $2 AND delivery_id IS NULL ORDER BY id
