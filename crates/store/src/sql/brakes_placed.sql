-- brakes_placed: notes of brakes by placement of campaigns that work, or ended since $1 (indexes campaigns_state, events_campaign)
SELECT e.campaign_id, e.at, e.data FROM campaigns c JOIN events e ON e.campaign_id = c.id
WHERE c.kind = 'bulk'
    AND (c.state IN ('running', 'held', 'paused')
        OR c.state IN ('finished', 'cancelled', 'missed') AND c.updated_at > $1)
    AND e.kind = $2 AND e.delivery_id IS NULL
ORDER BY e.id
