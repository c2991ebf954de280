-- test_row_insert: one message of a test, for one relay
INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, provider, pool_id, rank,
    state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, lane_relay, epoch, updated_at)
SELECT bucket, id, 2, $2, $3, $4, $5, $6, pool_id, $7, 0, 0, $2, 0, 0, 0, 0, 0, 0, 0, 0, $8
FROM campaigns WHERE id = $1
RETURNING id
