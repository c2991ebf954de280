-- feedback_sent: a campaign's sent rows by relay and mailbox provider, counted one by one
SELECT lane_relay, provider, count(*) FROM deliveries
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0 AND state IN (3, 4, 5, 10)
GROUP BY lane_relay, provider
