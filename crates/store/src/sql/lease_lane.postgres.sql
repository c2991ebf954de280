-- lease_lane: is the lane still ours; it cannot change hands before this transaction ends
SELECT lease_until, paused_until FROM lanes WHERE relay_id = $1 AND node_id = $2 AND epoch = $3 FOR SHARE
