-- stop_find_all: lock open rows of these addresses in unfinished campaigns, whatever they are for; found by
-- deliveries_once: the audience's by the whole key, seeds and tests (few, any slot) by its first part. The lock
-- reads the state again, so a row that became Sending meanwhile is left alone
SELECT d.bucket, d.id, d.campaign_id, d.role, d.lane_relay, d.state FROM deliveries d
WHERE d.state IN (0, 1) AND (d.bucket, d.id) IN (
    SELECT a.bucket, a.id FROM campaigns k JOIN deliveries a ON a.bucket = k.bucket AND a.campaign_id = k.id
        AND a.role = 0 AND a.slot = 0
        AND a.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
    WHERE k.state NOT IN ('finished', 'cancelled', 'missed')
    UNION ALL
    SELECT a.bucket, a.id FROM campaigns k JOIN deliveries a ON a.bucket = k.bucket AND a.campaign_id = k.id
        AND a.role IN (1, 2)
        AND a.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
    WHERE k.state NOT IN ('finished', 'cancelled', 'missed'))
ORDER BY d.id FOR UPDATE
