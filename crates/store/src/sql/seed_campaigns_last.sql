-- seed_campaigns_last: the newest campaigns that have seeds (by primary key, then index seed_copies_campaign)
SELECT c.id FROM campaigns c
WHERE c.kind = 'bulk' AND EXISTS (SELECT 1 FROM seed_copies s WHERE s.campaign_id = c.id)
ORDER BY c.id DESC LIMIT $1
