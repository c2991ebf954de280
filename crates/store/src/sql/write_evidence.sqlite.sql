-- write_evidence: a reply that came too late for its token still settles its Unknown
UPDATE deliveries SET updated_at = $2, state = v.s, code = v.c, enhanced = v.en, reply = v.re
FROM (SELECT value->>'b' AS b, value->>'i' AS i, value->>'t' AS t, value->>'w' AS w, value->>'s' AS s, value->>'a' AS a,
        value->>'nb' AS nb, value->>'tr' AS tr, value->>'bl' AS bl, value->>'pr' AS pr, value->>'pu' AS pu,
        value->>'r' AS r, value->>'m' AS m, value->>'d' AS d, value->>'c' AS c, value->>'en' AS en,
        value->>'re' AS re, value->>'de' AS de FROM jsonb_each($1)) v
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.state = 5 AND deliveries.attempt = v.a
RETURNING deliveries.bucket, deliveries.id, deliveries.state
