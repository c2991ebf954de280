-- seed_copies_open: what a relay took, or may have, and is to be looked for in a mailbox until $4; the first look is $3 after
-- the row was settled (index seed_copies_open)
SELECT s.bucket, s.delivery_id, s.campaign_id, s.mailbox, d.address, s.provider, s.relay_id, s.rank, d.state,
    d.updated_at, s.released_at, s.placement, s.folder, s.tab, s.accepted_at, s.arrived_at, s.spf, s.dkim, s.dmarc,
    s.looks, s.next_look_at, s.trouble, s.closed_at
FROM seed_copies s JOIN deliveries d ON d.bucket = s.bucket AND d.id = s.delivery_id
WHERE s.mailbox = $1 AND s.closed_at IS NULL AND s.released_at IS NOT NULL AND d.state IN (3, 5)
    AND COALESCE(s.next_look_at, d.updated_at + $3) <= $4
ORDER BY COALESCE(s.next_look_at, d.updated_at + $3), s.delivery_id LIMIT $2
