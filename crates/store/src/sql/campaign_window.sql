-- campaign_window: when the send window opens and closes next
UPDATE campaigns SET window_open_at = $2, window_close_at = $3, updated_at = $4 WHERE id = $1
