-- contacts_page: one page of all contacts that are not erased, in the order of their numbers
SELECT c.id, c.address, c.name, c.attributes, c.created_at, CAST(0 AS BIGINT) AS state, CAST(0 AS BIGINT) AS since,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM suppressions p WHERE p.address_hash = c.address_hash AND p.scope = 0)
        THEN 1 ELSE 0 END AS BIGINT) AS suppressed
FROM contacts c WHERE c.id > $1 AND c.erased_at IS NULL ORDER BY c.id LIMIT $2
