-- import_subscribe_new: put contacts on the list that this slice has just made
INSERT INTO subscriptions (list_id, contact_id, state, since, import_id)
SELECT $2, c.id, 1, $3, $4 FROM contacts c
WHERE c.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
