-- link_lists: the lists of a link as people know them, and how the contact stands to each; 0 is not on it
SELECT COALESCE(l.title, l.name), COALESCE(s.state, 0)
FROM lists l LEFT JOIN subscriptions s ON s.list_id = l.id AND s.contact_id = $2
WHERE l.id IN (SELECT value FROM json_each($1))
ORDER BY 1
