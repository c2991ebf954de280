-- audience_insert: a range of ranks becomes rows in their order, so that ids ascend with them
INSERT INTO deliveries (bucket, campaign_id, role, slot, contact_id, address, address_hash, provider, pool_id, rank,
    state, not_before, pinned_relay, pinned_until, attempt, tries, blocks, copy_no, token, lane_relay, epoch, updated_at)
SELECT k.bucket, k.id, 0, 0, c.id, c.address, c.address_hash, c.provider, k.pool_id, s.rank,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, $4
FROM audience_stage s
JOIN contacts c ON c.id = s.contact_id
JOIN campaigns k ON k.id = $1
WHERE s.campaign_id = $1 AND s.rank >= $2 AND s.rank <= $3 AND c.address IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM left_out l WHERE l.campaign_id = $1 AND l.contact_id = s.contact_id)
ORDER BY s.rank, s.contact_id
RETURNING provider
