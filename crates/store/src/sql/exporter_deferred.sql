-- exporter_deferred: rows that wait for another try and when the first may go, by campaign; no more than $1 of each half are
-- looked at, so that a scrape costs the same when a whole audience waits
-- the two halves are the two partial indexes on waiting rows (deliveries_due, deliveries_pinned)
SELECT campaign_id, COUNT(*), MIN(not_before) FROM (
    SELECT campaign_id, not_before, role FROM (
        SELECT campaign_id, not_before, role FROM deliveries
        WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0 LIMIT $1) AS due
    UNION ALL
    SELECT campaign_id, not_before, role FROM (
        SELECT campaign_id, not_before, role FROM deliveries
        WHERE state = 0 AND pinned_relay <> 0 AND not_before <> 0 LIMIT $1) AS pinned
) AS waiting
WHERE role = 0
GROUP BY campaign_id
