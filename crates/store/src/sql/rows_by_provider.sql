-- rows_by_provider: what is still to be sent, by mailbox provider
SELECT provider, COUNT(*) FROM deliveries
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND role = 0 AND state IN (0, 1)
GROUP BY provider
