-- stop_write: end rows that no final dot may follow any more; token 0 makes the next W2 of a leased one fail
UPDATE deliveries SET state = 6, detail = $2, token = 0, updated_at = $3
WHERE id IN (SELECT value->>'i' FROM jsonb_each($1)) AND state IN (0, 1)
