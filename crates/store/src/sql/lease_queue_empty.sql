-- lease_queue_empty: nothing fresh is left in it, or a canary's rank limit holds the rest
DELETE FROM queues WHERE campaign_id = $1 AND pool_id = $2 AND provider = $3
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.campaign_id = $1 AND d.pool_id = $2 AND d.provider = $3
        AND d.state = 0 AND d.not_before = 0 AND d.pinned_relay = 0)
