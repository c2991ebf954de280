-- left_out_add: those who are left out, each with the first reason that was found
INSERT INTO left_out (campaign_id, contact_id, reason)
SELECT $1, value->>'c', value->>'w' FROM jsonb_each($2) WHERE true
ON CONFLICT DO NOTHING
