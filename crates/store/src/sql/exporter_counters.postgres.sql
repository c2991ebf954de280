-- exporter_counters: recipients of some campaigns by state, summed over lanes
SELECT campaign_id, state, SUM(n)::bigint FROM counters
WHERE campaign_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint) AND role = 0 AND state < 100
GROUP BY campaign_id, state
