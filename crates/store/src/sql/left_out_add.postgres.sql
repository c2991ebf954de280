-- left_out_add: those who are left out, each with the first reason that was found
INSERT INTO left_out (campaign_id, contact_id, reason)
SELECT $1, c, w FROM jsonb_to_recordset($2::jsonb) AS v(c bigint, w text)
ON CONFLICT DO NOTHING
