-- campaigns_seeded: campaigns with seeds that work, or ended since $1 (indexes campaigns_state, seed_copies_campaign)
SELECT id FROM campaigns c
WHERE kind = 'bulk'
    AND (state IN ('running', 'held', 'paused')
        OR state IN ('finished', 'cancelled', 'missed') AND updated_at > $1)
    AND EXISTS (SELECT 1 FROM seed_copies s WHERE s.campaign_id = c.id)
ORDER BY id
