-- campaign_expiry: rows that are tried again after the campaign's time get some more
UPDATE campaigns SET expires_at = $2, updated_at = $3, version = version + 1 WHERE id = $1
