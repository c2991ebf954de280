-- import_subscribe: put contacts on the list; whoever stands there already, or left, is not touched
INSERT INTO subscriptions (list_id, contact_id, state, since, import_id)
SELECT $2, v.x::bigint, 1, $3, $4 FROM json_array_elements_text($1::json) AS v(x)
ON CONFLICT (list_id, contact_id) DO NOTHING
