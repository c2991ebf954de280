-- queue_add: an open queue of fresh rows
INSERT INTO queues (campaign_id, pool_id, provider)
SELECT id, pool_id, $2 FROM campaigns WHERE id = $1
ON CONFLICT DO NOTHING
