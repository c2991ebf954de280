-- write_evidence: a reply that came too late for its token still settles its Unknown
UPDATE deliveries SET updated_at = $2, state = v.s, code = v.c, enhanced = v.en, reply = v.re
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint, t bigint, w bigint, s bigint, a bigint, nb bigint, tr bigint,
        bl bigint, pr bigint, pu bigint, r bigint, m text, d bigint, c bigint, en text, re text, de text)
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.state = 5 AND deliveries.attempt = v.a
RETURNING deliveries.bucket, deliveries.id, deliveries.state
