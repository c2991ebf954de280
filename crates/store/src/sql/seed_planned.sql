-- seed_planned: whether a campaign's seeds were planned before
SELECT COUNT(*) FROM seed_copies WHERE campaign_id = $1
