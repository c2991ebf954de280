-- node_stop: a node ended in order
UPDATE nodes SET stopped_at = $2 WHERE id = $1
