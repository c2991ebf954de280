-- suppressions_add: a batch; what stands keeps its first reason
INSERT INTO suppressions (address_hash, scope, address, reason, origin, at)
SELECT h, s, a, r, o, t
FROM json_to_recordset($1::json) AS v(h bigint, s bigint, a text, r text, o text, t bigint)
ON CONFLICT (address_hash, scope) DO NOTHING RETURNING id
