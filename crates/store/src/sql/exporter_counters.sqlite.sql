-- exporter_counters: recipients of some campaigns by state, summed over lanes
SELECT campaign_id, state, SUM(n) FROM counters
WHERE campaign_id IN (SELECT value FROM json_each($1)) AND role = 0 AND state < 100
GROUP BY campaign_id, state
