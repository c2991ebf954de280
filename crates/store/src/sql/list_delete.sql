-- list_delete: a list that nothing refers to
DELETE FROM lists WHERE id = $1
