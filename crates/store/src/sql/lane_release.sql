-- lane_release: the holder gives it back
UPDATE lanes SET lease_until = 0, busy_at = $4 WHERE relay_id = $1 AND node_id = $2 AND epoch = $3
