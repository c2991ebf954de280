-- suppressions_add: a batch; what stands keeps its first reason
INSERT INTO suppressions (address_hash, scope, address, reason, origin, at)
SELECT value->>'h', value->>'s', value->>'a', value->>'r', value->>'o', value->>'t' FROM jsonb_each($1) WHERE true
ON CONFLICT (address_hash, scope) DO NOTHING RETURNING id
