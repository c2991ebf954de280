-- import_subscribe_new: put contacts on the list that this slice has just made
INSERT INTO subscriptions (list_id, contact_id, state, since, import_id)
SELECT $2, c.id, 1, $3, $4 FROM json_each($1) v CROSS JOIN contacts c ON c.address_hash = v.value
