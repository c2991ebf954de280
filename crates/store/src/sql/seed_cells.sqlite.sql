-- seed_cells: some campaigns' copies counted by relay, mailbox provider, place and row's state (index seed_copies_campaign)
SELECT s.campaign_id, s.relay_id, s.provider, s.placement, d.state, COUNT(*)
FROM seed_copies s JOIN deliveries d ON d.bucket = s.bucket AND d.id = s.delivery_id
WHERE s.campaign_id IN (SELECT value FROM json_each($1))
GROUP BY s.campaign_id, s.relay_id, s.provider, s.placement, d.state
