-- undo_finish: the import is undone
UPDATE imports SET undone_at = $2 WHERE id = $1
