-- seed_copies_open: what is still to be looked for in a mailbox (index seed_copies_open)
SELECT s.bucket, s.delivery_id, s.campaign_id, s.mailbox, d.address, s.provider, s.relay_id, s.rank, d.state,
    d.updated_at, s.released_at, s.placement, s.folder, s.tab, s.accepted_at, s.arrived_at, s.spf, s.dkim, s.dmarc,
    s.looks, s.next_look_at, s.trouble, s.closed_at
FROM seed_copies s JOIN deliveries d ON d.bucket = s.bucket AND d.id = s.delivery_id
WHERE s.mailbox = $1 AND s.closed_at IS NULL AND s.released_at IS NOT NULL
ORDER BY s.delivery_id LIMIT $2
