-- feedback_event: something that came back for a row, each by its key once
INSERT INTO events (at, kind, campaign_id, bucket, delivery_id, contact_id, dedup, data, address_hash, relay_id, provider,
    bounce, reason, proven)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (dedup) DO NOTHING RETURNING id
