-- undo_unlist: take off the list who was put there by the import and has not left meanwhile
DELETE FROM subscriptions WHERE list_id = $2 AND state = 1 AND contact_id IN (SELECT value FROM json_each($1))
