-- feedback_tally: what came back, counted where a campaign's rates are judged
INSERT INTO tallies (campaign_id, relay_id, provider, bounce, reason, n, weak) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (campaign_id, relay_id, provider, bounce, reason)
    DO UPDATE SET n = tallies.n + excluded.n, weak = tallies.weak + excluded.weak
