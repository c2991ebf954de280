-- canary_share: rows that a rank limit lets go and nobody has tried (index deliveries_fresh, one range for each queue)
SELECT count(*) FROM queues q
JOIN deliveries d ON d.campaign_id = q.campaign_id AND d.pool_id = q.pool_id AND d.provider = q.provider
WHERE q.campaign_id = $1 AND d.bucket = (SELECT bucket FROM campaigns WHERE id = $1)
    AND d.state = 0 AND d.not_before = 0 AND d.pinned_relay = 0 AND d.rank <= $2
