-- undo_remove: contacts that only this import knew
DELETE FROM contacts WHERE id IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x)) AND updated_import = created_import
    AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.contact_id = contacts.id)
