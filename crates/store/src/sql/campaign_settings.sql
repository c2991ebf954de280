-- campaign_settings: the settings of a campaign that has not started
UPDATE campaigns SET pool_id = $2, settings = $3, expires_at = $4, rank_limit = NULL, updated_at = $5, version = version + 1
WHERE id = $1
