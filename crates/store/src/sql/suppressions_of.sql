-- suppressions_of: all that stands against an address
SELECT id, address_hash, scope, address, reason, origin, at FROM suppressions WHERE address_hash = $1 ORDER BY scope
