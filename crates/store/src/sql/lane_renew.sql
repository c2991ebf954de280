-- lane_renew: the holder's heartbeat
UPDATE lanes SET lease_until = $4, busy_at = $5 WHERE relay_id = $1 AND node_id = $2 AND epoch = $3
