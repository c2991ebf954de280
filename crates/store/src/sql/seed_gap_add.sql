-- seed_gap_add: a relay and a mailbox provider that no seed could cover
INSERT INTO seed_gaps (campaign_id, relay_id, provider) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
