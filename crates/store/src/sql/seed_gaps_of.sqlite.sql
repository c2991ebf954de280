-- seed_gaps_of: what no seed of some campaigns looks at (by primary key)
SELECT campaign_id, relay_id, provider FROM seed_gaps
WHERE campaign_id IN (SELECT value FROM json_each($1))
ORDER BY campaign_id, relay_id, provider
