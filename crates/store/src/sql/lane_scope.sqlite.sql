-- lane_scope: all lanes that share a scope's limits, locked in id order
SELECT relay_id, scope, node_id, epoch, lease_until, busy_at, paused_until, pause_reason, pause_by, pause_count
FROM lanes WHERE scope = $1 OR relay_id IN (SELECT value FROM json_each($2)) ORDER BY relay_id
