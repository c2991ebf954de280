-- lease_lane: is the lane still ours
SELECT lease_until, paused_until FROM lanes WHERE relay_id = $1 AND node_id = $2 AND epoch = $3
