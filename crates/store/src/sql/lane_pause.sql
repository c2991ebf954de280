-- lane_pause: nothing is leased through it until then
UPDATE lanes SET paused_until = $2, pause_reason = $3, pause_by = $4, pause_count = $5 WHERE relay_id = $1
