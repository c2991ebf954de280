-- audience_stage_add: those who are kept, with their ranks; the same again changes nothing
INSERT INTO audience_stage (campaign_id, rank, contact_id)
SELECT $1, value->>'r', value->>'c' FROM jsonb_each($2) WHERE true
ON CONFLICT DO NOTHING
