-- undo_leave: who got mail through this import leaves its list, so that links in that mail keep their meaning
UPDATE subscriptions SET state = 2, since = $3, import_id = NULL
WHERE list_id = $2 AND state = 1 AND contact_id IN (SELECT value FROM json_each($1))
