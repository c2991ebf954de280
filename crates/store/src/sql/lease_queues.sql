-- lease_queues: the open queues of campaigns that may send now
SELECT q.campaign_id, q.pool_id, q.provider FROM queues q JOIN campaigns c ON c.id = q.campaign_id
WHERE c.state = 'running' AND c.window_open_at <= $1 AND (c.window_close_at IS NULL OR c.window_close_at > $1)
    AND ($2 = 0 OR c.id = $2) AND (c.expires_at IS NULL OR c.expires_at > $1)
ORDER BY q.campaign_id, q.pool_id, q.provider
