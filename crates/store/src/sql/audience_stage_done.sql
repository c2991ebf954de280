-- audience_stage_done: a range of ranks that became rows
DELETE FROM audience_stage WHERE campaign_id = $1 AND rank >= $2 AND rank <= $3
