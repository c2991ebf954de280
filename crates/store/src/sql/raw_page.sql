-- raw_page: mails that were not understood, the oldest first
SELECT id, at, expires_at, source, why, raw FROM raw_mails WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3
