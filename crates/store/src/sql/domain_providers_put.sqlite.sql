-- domain_providers_put: what a look-up found
INSERT INTO domain_providers (domain, provider, checked_at)
SELECT value->>'d', value->>'p', $2 FROM json_each($1) WHERE true
ON CONFLICT (domain) DO UPDATE SET provider = excluded.provider, checked_at = excluded.checked_at
