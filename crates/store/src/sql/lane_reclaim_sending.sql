-- lane_reclaim_sending: the final dot may have been sent, and its answer is lost
UPDATE deliveries SET token = 0, state = 5, updated_at = $4
WHERE bucket = (SELECT bucket FROM campaigns WHERE id = $1) AND campaign_id = $1 AND lane_relay = $2 AND epoch < $3 AND state = 2
RETURNING role, state
