-- undo_remove: contacts that only this import knew
DELETE FROM contacts WHERE id IN (SELECT value FROM json_each($1)) AND updated_import = created_import
    AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.contact_id = contacts.id)
