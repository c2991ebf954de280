-- counters_add: add to counters, in key order
INSERT INTO counters (campaign_id, role, relay_id, state, n)
SELECT c, o, r, s, n FROM (SELECT value->>'c' AS c, value->>'o' AS o, value->>'r' AS r, value->>'s' AS s, value->>'n' AS n FROM jsonb_each($1)) WHERE true
ON CONFLICT (campaign_id, role, relay_id, state) DO UPDATE SET n = counters.n + excluded.n
