-- rows_reopen: rows that are tried again; what k keeps is the identity and the bytes of a copy that may have arrived; tests
-- and seeds belong to their relay for good
UPDATE deliveries SET state = 0, not_before = 0, pinned_until = 0,
    pinned_relay = CASE WHEN deliveries.role = 0 THEN 0 ELSE deliveries.pinned_relay END,
    tries = 0, blocks = 0, token = 0, copy_no = v.c, mail_from = v.m, detail = NULL, updated_at = $2,
    bound_relay = CASE WHEN v.k = 1 THEN deliveries.bound_relay END,
    bound_date = CASE WHEN v.k = 1 THEN deliveries.bound_date END,
    content_hash = CASE WHEN v.k = 1 THEN deliveries.content_hash END
FROM (SELECT value->>'b' AS b, value->>'i' AS i, value->>'c' AS c, value->>'m' AS m, value->>'k' AS k FROM jsonb_each($1)) v
WHERE deliveries.id = v.i AND deliveries.bucket = v.b
