-- counters_add: add to counters, in key order so that two nodes never wait for each other in a ring
INSERT INTO counters (campaign_id, role, relay_id, state, n)
SELECT c, o, r, s, n FROM jsonb_to_recordset($1::jsonb) AS v(c bigint, o bigint, r bigint, s bigint, n bigint)
ORDER BY c, o, r, s
ON CONFLICT (campaign_id, role, relay_id, state) DO UPDATE SET n = counters.n + excluded.n
