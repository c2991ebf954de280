-- lane_take: the lane changes hands
UPDATE lanes SET node_id = $2, epoch = epoch + 1, lease_until = $3, scope = $4 WHERE relay_id = $1
RETURNING relay_id, scope, node_id, epoch, lease_until, busy_at, paused_until, pause_reason, pause_by, pause_count
