-- raw_expire: kept long enough
DELETE FROM raw_mails WHERE expires_at <= $1
