-- write_intents: W2, the permit for the final dot
UPDATE deliveries SET state = 2, updated_at = $2, content_hash = v.h,
    bound_relay = COALESCE(deliveries.bound_relay, v.r),
    mail_from = COALESCE(deliveries.mail_from, v.m),
    bound_date = COALESCE(deliveries.bound_date, v.d)
FROM (SELECT value->>'b' AS b, value->>'i' AS i, value->>'t' AS t, value->>'r' AS r, value->>'e' AS e,
        value->>'h' AS h, value->>'m' AS m, value->>'d' AS d FROM jsonb_each($1)) v
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.token = v.t AND deliveries.state = 1
    AND EXISTS (SELECT 1 FROM lanes l WHERE l.relay_id = v.r AND l.epoch = v.e AND l.lease_until > $2)
    AND EXISTS (SELECT 1 FROM campaigns c WHERE c.id = deliveries.campaign_id AND c.state = 'running'
        AND (c.expires_at IS NULL OR c.expires_at > $2))
RETURNING deliveries.bucket, deliveries.id
