-- campaigns_alive: campaigns that may need something done: not over, or ended with rows that still wait
SELECT id, name, kind, pool_id, bucket, seed, created_at, state_data, settings, audience, start_at, expires_at,
    window_open_at, window_close_at, version
FROM campaigns c
WHERE c.state IN ('scheduled', 'running', 'held', 'paused')
    OR c.state = 'cancelled' AND (
        (SELECT COALESCE(SUM(n), 0) FROM counters k WHERE k.campaign_id = c.id AND k.state IN (0, 1, 2)) > 0
        OR c.audience IS NULL AND EXISTS (SELECT 1 FROM counters k WHERE k.campaign_id = c.id)
        OR c.audience IS NULL AND EXISTS (SELECT 1 FROM audience_stage s WHERE s.campaign_id = c.id))
ORDER BY c.id
