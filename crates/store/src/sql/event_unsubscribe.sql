-- event_unsubscribe: what the person did, for reports and explain
INSERT INTO events (at, kind, campaign_id, bucket, delivery_id, contact_id, data)
VALUES ($1, 'unsubscribe', $2, $3, $4, $5, $6)
