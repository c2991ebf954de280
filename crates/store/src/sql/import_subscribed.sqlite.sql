-- import_subscribed: how contacts that stood on the list stand there
SELECT s.contact_id, s.state, s.import_id FROM json_each($1) v
CROSS JOIN subscriptions s ON s.list_id = $2 AND s.contact_id = v.value
