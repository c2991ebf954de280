-- campaign_insert: a campaign that was not known before
INSERT INTO campaigns (name, kind, pool_id, bucket, seed, created_at, state, state_data, settings, audience,
    rank_limit, start_at, expires_at, window_open_at, window_close_at, version, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, 'draft', $7, $8, NULL, NULL, NULL, $9, 0, NULL, 0, $6)
RETURNING id
