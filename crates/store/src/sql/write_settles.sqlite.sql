-- write_settles: W3; what would wait under a campaign that is over ends with it, and what is blocked for the fifth time fails
UPDATE deliveries SET updated_at = $2, token = 0,
    state = CASE WHEN v.s <> 0 THEN v.s WHEN c.state = 'cancelled' THEN 8 WHEN c.expires_at <= $2 THEN 7
        WHEN c.expires_at <= v.nb THEN 7 WHEN v.bl = 1 AND deliveries.blocks >= 4 THEN 9 ELSE 0 END,
    detail = CASE WHEN v.s = 0 AND v.bl = 1 AND deliveries.blocks >= 4 THEN 'blocked' ELSE v.de END,
    not_before = COALESCE(v.nb, deliveries.not_before),
    tries = deliveries.tries + v.tr,
    blocks = deliveries.blocks + v.bl,
    pinned_relay = COALESCE(v.pr, deliveries.pinned_relay),
    pinned_until = CASE WHEN v.pr IS NULL THEN deliveries.pinned_until ELSE v.pu END,
    bound_relay = CASE WHEN v.m IS NULL THEN deliveries.bound_relay ELSE COALESCE(deliveries.bound_relay, v.r) END,
    mail_from = COALESCE(deliveries.mail_from, v.m),
    bound_date = COALESCE(deliveries.bound_date, v.d),
    code = v.c, enhanced = v.en, reply = v.re
FROM (SELECT value->>'b' AS b, value->>'i' AS i, value->>'t' AS t, value->>'w' AS w, value->>'s' AS s, value->>'a' AS a,
        value->>'nb' AS nb, value->>'tr' AS tr, value->>'bl' AS bl, value->>'pr' AS pr, value->>'pu' AS pu,
        value->>'r' AS r, value->>'m' AS m, value->>'d' AS d, value->>'c' AS c, value->>'en' AS en,
        value->>'re' AS re, value->>'de' AS de FROM jsonb_each($1)) v, campaigns c
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.token = v.t AND deliveries.state = v.w
    AND c.id = deliveries.campaign_id
RETURNING deliveries.bucket, deliveries.id, deliveries.state
