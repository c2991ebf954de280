-- campaign_state: an act of a campaign, refused when another act came between reading and writing
UPDATE campaigns SET state = $3, state_data = $4, start_at = COALESCE($5, start_at), window_open_at = $6,
    window_close_at = $7, updated_at = $8, version = version + 1
WHERE id = $1 AND version = $2
