-- accepted_by_provider: a campaign's accepted rows by mailbox provider, counted one by one
SELECT provider, count(*) FROM deliveries
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0 AND state = 3
GROUP BY provider ORDER BY provider
