-- lane_scope: all lanes that share a scope's limits, locked in id order
SELECT relay_id, scope, node_id, epoch, lease_until, busy_at, paused_until, pause_reason, pause_by, pause_count
FROM lanes WHERE scope = $1 OR relay_id IN (SELECT jsonb_array_elements($2::jsonb)::bigint) ORDER BY relay_id
FOR UPDATE
