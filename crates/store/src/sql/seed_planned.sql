-- seed_planned: how many seeds of a campaign were planned before, and the campaign's own seed of randomness
SELECT (SELECT COUNT(*) FROM seed_copies s WHERE s.campaign_id = $1), k.seed FROM campaigns k WHERE k.id = $1
