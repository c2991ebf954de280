-- audience_stage_count: how many wait to become rows
SELECT COUNT(*) FROM audience_stage WHERE campaign_id = $1
