-- seed_copies_of: a campaign's seed copies in the order of their ranks (index seed_copies_campaign)
SELECT s.bucket, s.delivery_id, s.campaign_id, s.mailbox, d.address, s.provider, s.relay_id, s.rank, d.state,
    d.updated_at, s.released_at, s.placement, s.folder, s.tab, s.accepted_at, s.arrived_at, s.spf, s.dkim, s.dmarc,
    s.looks, s.next_look_at, s.trouble, s.closed_at
FROM seed_copies s JOIN deliveries d ON d.bucket = s.bucket AND d.id = s.delivery_id
WHERE s.campaign_id = $1
ORDER BY s.rank, s.delivery_id
