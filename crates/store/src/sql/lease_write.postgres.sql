-- lease_write: W1 itself, and the rows that it settles instead
UPDATE deliveries SET state = v.s, detail = v.d, updated_at = $5::bigint,
    token = CASE WHEN v.s = 1 THEN $2::bigint ELSE 0 END,
    lane_relay = $3, epoch = $4,
    attempt = deliveries.attempt + CASE WHEN v.s = 1 THEN 1 ELSE 0 END,
    first_leased_at = CASE WHEN v.s = 1 THEN COALESCE(deliveries.first_leased_at, $5::bigint) ELSE deliveries.first_leased_at END
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint, s bigint, d text)
WHERE deliveries.bucket = v.b AND deliveries.id = v.i AND deliveries.state = 0
