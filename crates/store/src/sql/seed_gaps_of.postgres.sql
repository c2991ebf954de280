-- seed_gaps_of: what no seed of some campaigns looks at (by primary key)
SELECT campaign_id, relay_id, provider FROM seed_gaps
WHERE campaign_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)
ORDER BY campaign_id, relay_id, provider
