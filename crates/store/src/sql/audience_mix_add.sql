-- audience_mix_add: recipients of a mailbox provider that a slice of a freeze added
INSERT INTO audience_mix (campaign_id, provider, n) VALUES ($1, $2, $3)
ON CONFLICT (campaign_id, provider) DO UPDATE SET n = audience_mix.n + excluded.n
