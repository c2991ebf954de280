-- audience_stage_add: those who are kept, with their ranks; the same again changes nothing
INSERT INTO audience_stage (campaign_id, rank, contact_id)
SELECT $1, r, c FROM jsonb_to_recordset($2::jsonb) AS v(r bigint, c bigint)
ON CONFLICT DO NOTHING
