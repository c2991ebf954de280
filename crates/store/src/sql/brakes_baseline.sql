-- brakes_baseline: what was counted when brakes took effect on a campaign (events_campaign)
SELECT kind, data FROM events WHERE campaign_id = $1 AND kind IN ('hold', 'brake') AND delivery_id IS NULL ORDER BY id
