-- write_attempts: the record of every outcome but plain acceptance
INSERT INTO attempts (bucket, delivery_id, attempt, relay_id, at, outcome, phase, code, enhanced, reply, rule)
SELECT value->>'b', value->>'i', value->>'a', value->>'r', $2, value->>'o', value->>'p', value->>'c', value->>'en',
    value->>'re', value->>'ru' FROM jsonb_each($1) WHERE true
ON CONFLICT (bucket, delivery_id, attempt) DO NOTHING
