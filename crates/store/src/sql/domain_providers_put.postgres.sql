-- domain_providers_put: what a look-up found, in order so that two nodes never wait for each other in a ring
INSERT INTO domain_providers (domain, provider, checked_at)
SELECT d, p, $2 FROM jsonb_to_recordset($1::jsonb) AS v(d text, p bigint) ORDER BY d
ON CONFLICT (domain) DO UPDATE SET provider = excluded.provider, checked_at = excluded.checked_at
