-- campaign_event: an operator's or a policy's act on a campaign's rows, for explain
INSERT INTO events (at, kind, campaign_id, data) VALUES ($1, $2, $3, $4)
