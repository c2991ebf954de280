-- open_tally: rows of a campaign that count as opened in a way, more or fewer of them
INSERT INTO open_tallies (campaign_id, provider, kind, n) VALUES ($1, $2, $3, $4)
ON CONFLICT (campaign_id, provider, kind) DO UPDATE SET n = open_tallies.n + excluded.n
