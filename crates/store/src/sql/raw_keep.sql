-- raw_keep: a mail that was not understood, each once
INSERT INTO raw_mails (at, expires_at, digest, source, why, raw) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (digest) DO NOTHING
