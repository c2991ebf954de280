-- erase_suppress: an erased address is suppressed everywhere, whatever stood before
INSERT INTO suppressions (address_hash, scope, address, reason, origin, at) VALUES ($1, 0, NULL, 'erased', $2, $3)
ON CONFLICT (address_hash, scope) DO UPDATE SET reason = 'erased', origin = excluded.origin, at = excluded.at
