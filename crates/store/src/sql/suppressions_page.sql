-- suppressions_page: one page in the order of their numbers
SELECT id, address_hash, scope, address, reason, origin, at FROM suppressions WHERE id > $1 ORDER BY id LIMIT $2
