-- campaigns_all: every campaign, the newest first
SELECT id, name, kind, pool_id, bucket, seed, created_at, state_data, settings, audience, start_at, expires_at,
    window_open_at, window_close_at, version
FROM campaigns ORDER BY id DESC
