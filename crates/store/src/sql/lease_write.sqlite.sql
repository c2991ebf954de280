-- lease_write: W1 itself, and the rows that it settles instead
UPDATE deliveries SET state = v.s, detail = v.d, updated_at = $5,
    token = CASE WHEN v.s = 1 THEN $2 ELSE 0 END,
    lane_relay = $3, epoch = $4,
    attempt = deliveries.attempt + CASE WHEN v.s = 1 THEN 1 ELSE 0 END,
    first_leased_at = CASE WHEN v.s = 1 THEN COALESCE(deliveries.first_leased_at, $5) ELSE deliveries.first_leased_at END
FROM (SELECT value->>'b' AS b, value->>'i' AS i, value->>'s' AS s, value->>'d' AS d FROM jsonb_each($1)) v
WHERE deliveries.id = v.i AND deliveries.bucket = v.b AND deliveries.state = 0
