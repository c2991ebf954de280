-- lanes_all: every lane
SELECT relay_id, scope, node_id, epoch, lease_until, busy_at, paused_until, pause_reason, pause_by, pause_count
FROM lanes ORDER BY relay_id
