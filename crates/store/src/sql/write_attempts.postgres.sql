-- write_attempts: the record of every outcome but plain acceptance
INSERT INTO attempts (bucket, delivery_id, attempt, relay_id, at, outcome, phase, code, enhanced, reply, rule)
SELECT b, i, a, r, $2, o, p, c, en, re, ru
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint, a bigint, r bigint, o text, p text, c bigint, en text, re text, ru text)
ON CONFLICT (bucket, delivery_id, attempt) DO NOTHING
