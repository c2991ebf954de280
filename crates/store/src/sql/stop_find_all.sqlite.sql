-- stop_find_all: open rows of these addresses in unfinished campaigns, whatever they are for; found by
-- deliveries_once: the audience's by the whole key, seeds and tests (few, any slot) by its first part
SELECT bucket, id, campaign_id, role, lane_relay, state FROM (
    SELECT d.bucket, d.id, d.campaign_id, d.role, d.lane_relay, d.state
    FROM json_each($1) v CROSS JOIN campaigns k CROSS JOIN deliveries d ON d.bucket = k.bucket
        AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0 AND d.address_hash = v.value
    WHERE k.state NOT IN ('finished', 'cancelled', 'missed') AND d.state IN (0, 1)
    UNION ALL
    SELECT d.bucket, d.id, d.campaign_id, d.role, d.lane_relay, d.state
    FROM campaigns k CROSS JOIN deliveries d ON d.bucket = k.bucket AND d.campaign_id = k.id AND d.role IN (1, 2)
    WHERE k.state NOT IN ('finished', 'cancelled', 'missed') AND d.state IN (0, 1)
        AND d.address_hash IN (SELECT value FROM json_each($1)))
ORDER BY id
