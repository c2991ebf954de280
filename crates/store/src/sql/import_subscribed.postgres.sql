-- import_subscribed: how contacts that stood on the list stand there
SELECT s.contact_id, s.state, s.import_id FROM subscriptions s
WHERE s.list_id = $2 AND s.contact_id IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
