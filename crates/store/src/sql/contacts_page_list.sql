-- contacts_page_list: one page of a list's contacts in the order of their numbers
SELECT c.id, c.address, c.name, c.attributes, c.created_at, s.state, s.since,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM suppressions p WHERE p.address_hash = c.address_hash AND p.scope IN (0, $1))
        THEN 1 ELSE 0 END AS BIGINT) AS suppressed
FROM subscriptions s JOIN contacts c ON c.id = s.contact_id
WHERE s.list_id = $1 AND s.contact_id > $2 AND c.erased_at IS NULL ORDER BY s.contact_id LIMIT $3
