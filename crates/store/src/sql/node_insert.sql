-- node_insert: register a starting node
INSERT INTO nodes (name, version, started_at, heartbeat_at) VALUES ($1, $2, $3, $3) RETURNING id
