-- explain_suppressions: where an address is suppressed, and why
SELECT COALESCE(l.name, '') AS list, s.reason, s.origin, s.at FROM suppressions s LEFT JOIN lists l ON l.id = s.scope
WHERE s.address_hash = $1 ORDER BY s.at
