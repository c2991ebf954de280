-- page_providers: a campaign's audience counted one by one, by mailbox provider and state
SELECT provider, state, count(*) FROM deliveries
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0
GROUP BY provider, state ORDER BY provider, state
