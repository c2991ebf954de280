-- unsubscribe_lists: leave the given lists; a list never joined is left too, so that no import adds the person later
INSERT INTO subscriptions (list_id, contact_id, state, since)
SELECT l.id, c.id, 2, $3 FROM lists l, contacts c
WHERE c.id = $2 AND l.id IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
ON CONFLICT (list_id, contact_id) DO UPDATE SET state = 2, since = excluded.since WHERE subscriptions.state <> 2
RETURNING list_id
