-- domain_providers_of: what was looked up of some domains, and when
SELECT domain, provider, checked_at FROM domain_providers WHERE domain IN (SELECT value FROM json_each($1))
