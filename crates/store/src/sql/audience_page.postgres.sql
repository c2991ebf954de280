-- audience_page: contacts of the lists in id order, each with all that may leave it out
-- Scalar subqueries instead of EXISTS: they are probed by index per row, never hashed over whole tables per page.
SELECT c.id, c.address, c.address_hash, c.provider, c.name, c.attributes, c.created_at, c.erased_at,
    f.subscribed, f.open, f.excluded,
    COALESCE((SELECT x.scope + 1 FROM suppressions x WHERE x.address_hash = c.address_hash AND x.scope = 0), 0) AS suppressed
FROM (
    SELECT p.* FROM contacts p
    WHERE p.id > $2 AND (SELECT s.list_id FROM subscriptions s WHERE s.contact_id = p.id
        AND s.list_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) LIMIT 1) IS NOT NULL
    ORDER BY p.id LIMIT $4
) c
CROSS JOIN LATERAL (
    SELECT
        COALESCE(MAX(CASE WHEN s.state = 1 AND s.list_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))
            THEN 1::bigint END), 0) AS subscribed,
        COALESCE(MAX(CASE WHEN s.state = 1 AND s.list_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))
            AND (SELECT x.scope FROM suppressions x WHERE x.address_hash = c.address_hash AND x.scope = s.list_id) IS NULL
            THEN 1::bigint END), 0) AS open,
        COALESCE(MAX(CASE WHEN s.list_id = ANY (ARRAY(SELECT jsonb_array_elements_text($3::jsonb)::bigint))
            THEN 1::bigint END), 0) AS excluded
    FROM subscriptions s WHERE s.contact_id = c.id
) f
ORDER BY c.id
