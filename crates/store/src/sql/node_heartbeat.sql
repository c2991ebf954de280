-- node_heartbeat: a node is alive
UPDATE nodes SET heartbeat_at = $2 WHERE id = $1
