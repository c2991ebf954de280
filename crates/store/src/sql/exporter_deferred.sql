-- exporter_deferred: rows that wait for another try and when the first may go, by campaign
-- the two halves are the two partial indexes on waiting rows (deliveries_due, deliveries_pinned)
SELECT campaign_id, COUNT(*), MIN(not_before) FROM (
    SELECT campaign_id, not_before FROM deliveries
    WHERE state = 0 AND not_before <> 0 AND pinned_relay = 0 AND role = 0
    UNION ALL
    SELECT campaign_id, not_before FROM deliveries
    WHERE state = 0 AND pinned_relay <> 0 AND not_before <> 0 AND role = 0
) AS waiting
GROUP BY campaign_id
