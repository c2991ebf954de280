-- lane_insert: a lane that nobody holds yet
INSERT INTO lanes (relay_id, scope, node_id, epoch, lease_until, busy_at, pause_count)
VALUES ($1, $2, 0, 0, 0, 0, 0) ON CONFLICT (relay_id) DO NOTHING
