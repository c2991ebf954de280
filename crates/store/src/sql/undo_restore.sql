-- undo_restore: give contacts back what this import changed, unless something else changed them since
UPDATE contacts SET name = m.name, attributes = m.attributes, updated_at = $3, updated_import = m.prior_import
FROM import_changes m
WHERE m.import_id = $1 AND m.contact_id <= $2 AND contacts.id = m.contact_id AND contacts.updated_import = $1
    AND contacts.erased_at IS NULL
