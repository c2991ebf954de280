-- rows_reopen: rows that are tried again; what k keeps is the identity and the bytes of a copy that may have arrived; tests
-- and seeds belong to their relay for good
UPDATE deliveries SET state = 0, not_before = 0, pinned_until = 0,
    pinned_relay = CASE WHEN deliveries.role = 0 THEN 0 ELSE deliveries.pinned_relay END,
    tries = 0, blocks = 0, token = 0, copy_no = v.c, mail_from = v.m, detail = NULL, updated_at = $2,
    bound_relay = CASE WHEN v.k = 1 THEN deliveries.bound_relay END,
    bound_date = CASE WHEN v.k = 1 THEN deliveries.bound_date END,
    content_hash = CASE WHEN v.k = 1 THEN deliveries.content_hash END
FROM jsonb_to_recordset($1::jsonb) AS v(b bigint, i bigint, c bigint, m text, k bigint)
WHERE deliveries.id = v.i AND deliveries.bucket = v.b
