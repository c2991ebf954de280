-- seed_gaps_of: what no seed of a campaign looks at
SELECT relay_id, provider FROM seed_gaps WHERE campaign_id = $1 ORDER BY relay_id, provider
