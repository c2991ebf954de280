-- lane_resume: the pause is over and forgotten
UPDATE lanes SET paused_until = NULL, pause_reason = NULL, pause_by = NULL, pause_count = 0 WHERE relay_id = $1
