-- undo_page: subscriptions that an import made, with what tells whether the contact was its own doing alone
SELECT s.contact_id, c.address_hash, s.state, c.created_import, c.updated_import, c.erased_at,
    (SELECT count(*) FROM subscriptions o WHERE o.contact_id = s.contact_id AND o.list_id <> s.list_id) AS other_lists
FROM subscriptions s JOIN contacts c ON c.id = s.contact_id
WHERE s.list_id = $1 AND s.import_id = $2 AND s.contact_id > $3 ORDER BY s.contact_id LIMIT $4
