-- exporter_nodes: nodes with a heartbeat since a time; a row is one start of a node, so names are counted
SELECT COUNT(DISTINCT name) FROM nodes WHERE stopped_at IS NULL AND heartbeat_at > $1
