-- nodes_heard: nodes with a heartbeat since a time, by name; a row is one start of a node
SELECT DISTINCT name FROM nodes WHERE stopped_at IS NULL AND heartbeat_at > $1 ORDER BY name
