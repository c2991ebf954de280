-- link_lists: the lists of a link as people know them, and how the contact stands to each; 0 is not on it
SELECT COALESCE(l.title, l.name), COALESCE(s.state, 0)::bigint
FROM lists l LEFT JOIN subscriptions s ON s.list_id = l.id AND s.contact_id = $2
WHERE l.id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)
ORDER BY 1
