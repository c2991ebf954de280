-- undo_forget: the memory of a restored slice
DELETE FROM import_changes WHERE import_id = $1 AND contact_id <= $2
