-- contacts_attribute_names: the attributes that contacts have, of one list or (0) of all
SELECT DISTINCT j.key FROM contacts c CROSS JOIN json_each(c.attributes) j
WHERE $1 = 0 OR EXISTS (SELECT 1 FROM subscriptions s WHERE s.list_id = $1 AND s.contact_id = c.id)
ORDER BY 1 LIMIT $2
