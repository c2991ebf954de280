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
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint, t bigint, w bigint, s bigint, a bigint, nb bigint, tr bigint,
        bl bigint, pr bigint, pu bigint, r bigint, m text, d bigint, c bigint, en text, re text, de text), campaigns c
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.token = v.t AND deliveries.state = v.w
    AND c.id = deliveries.campaign_id
RETURNING deliveries.bucket, deliveries.id, deliveries.state
