-- audience_page: contacts of the lists in id order, each with all that may leave it out
SELECT c.id, c.address, c.address_hash, c.provider, c.name, c.attributes, c.created_at, c.erased_at,
    CAST(EXISTS (SELECT 1 FROM subscriptions s
        WHERE s.contact_id = c.id AND s.state = 1 AND s.list_id IN (SELECT value FROM json_each($1))) AS INTEGER) AS subscribed,
    CAST(EXISTS (SELECT 1 FROM subscriptions s
        WHERE s.contact_id = c.id AND s.state = 1 AND s.list_id IN (SELECT value FROM json_each($1))
            AND NOT EXISTS (SELECT 1 FROM suppressions x
                WHERE x.address_hash = c.address_hash AND x.scope = s.list_id)) AS INTEGER) AS open,
    CAST(EXISTS (SELECT 1 FROM subscriptions s
        WHERE s.contact_id = c.id AND s.list_id IN (SELECT value FROM json_each($3))) AS INTEGER) AS excluded,
    CAST(EXISTS (SELECT 1 FROM suppressions x
        WHERE x.address_hash = c.address_hash AND x.scope = 0) AS INTEGER) AS suppressed
FROM contacts c
WHERE c.id > $2 AND EXISTS (SELECT 1 FROM subscriptions s
    WHERE s.contact_id = c.id AND s.contact_id > $2 AND s.list_id IN (SELECT value FROM json_each($1)))
ORDER BY c.id LIMIT $4
