-- seed_row_insert: one copy for a seed mailbox, pinned to its relay; where the seed has no data of its own the template
-- sees somebody of the audience: whose hash follows $9, or the first (by deliveries_once)
INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, provider, pool_id, rank,
    state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, lane_relay, epoch, updated_at)
SELECT k.bucket, k.id, 1, $2, COALESCE((SELECT d.contact_id FROM deliveries d
        WHERE d.bucket = k.bucket AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0 AND d.address_hash >= $9
        ORDER BY d.address_hash LIMIT 1), (SELECT d.contact_id FROM deliveries d
        WHERE d.bucket = k.bucket AND d.campaign_id = k.id AND d.role = 0 AND d.slot = 0 ORDER BY d.address_hash LIMIT 1)),
    $3, $4, $5, k.pool_id, $6, 0, $7, $2, 0, 0, 0, 0, 0, 0, 0, 0, $8
FROM campaigns k WHERE k.id = $1
ON CONFLICT DO NOTHING
RETURNING bucket, id
