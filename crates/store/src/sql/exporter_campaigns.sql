-- exporter_campaigns: campaigns that work, or ended since $1; few, found by the index campaigns_state
SELECT id, name, state, audience, version FROM campaigns
WHERE kind = 'bulk'
    AND (state IN ('running', 'held', 'paused')
        OR state IN ('finished', 'cancelled', 'missed') AND updated_at > $1)
ORDER BY id
