-- undo_unlist: take off the list who was put there by the import and has not left meanwhile
DELETE FROM subscriptions WHERE list_id = $2 AND state = 1 AND contact_id IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
