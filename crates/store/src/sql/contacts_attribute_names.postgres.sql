-- contacts_attribute_names: the attributes that contacts have, of one list or (0) of all
SELECT DISTINCT j.key FROM contacts c CROSS JOIN LATERAL json_object_keys(c.attributes::json) AS j(key)
WHERE $1::bigint = 0 OR EXISTS (SELECT 1 FROM subscriptions s WHERE s.list_id = $1 AND s.contact_id = c.id)
ORDER BY 1 LIMIT $2
