-- audience_stage_drop: a part of a freeze that was given up
DELETE FROM audience_stage WHERE campaign_id = $1 AND (rank, contact_id) IN (
    SELECT rank, contact_id FROM audience_stage WHERE campaign_id = $1 LIMIT $2)
