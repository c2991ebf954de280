-- campaign_start: a scheduled campaign runs, up to its canary's rank if it has one; not when it was changed since it was read
UPDATE campaigns SET state = $3, state_data = $4, window_open_at = $5, window_close_at = $6, rank_limit = $7, updated_at = $8,
    version = version + 1
WHERE id = $1 AND version = $2 AND state = 'scheduled'
