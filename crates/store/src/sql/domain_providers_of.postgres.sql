-- domain_providers_of: what was looked up of some domains, and when
SELECT domain, provider, checked_at FROM domain_providers
WHERE domain IN (SELECT jsonb_array_elements_text($1::jsonb))
