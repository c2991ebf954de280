-- undo_restore_page: where the next slice of remembered contacts ends
SELECT contact_id FROM import_changes WHERE import_id = $1 ORDER BY contact_id LIMIT $2
