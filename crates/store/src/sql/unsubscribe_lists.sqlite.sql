-- unsubscribe_lists: leave the given lists; a list never joined is left too, so that no import adds the person later
INSERT INTO subscriptions (list_id, contact_id, state, since)
SELECT l.id, c.id, 2, $3 FROM json_each($1) v JOIN lists l ON l.id = v.value JOIN contacts c ON c.id = $2 WHERE true
ON CONFLICT (list_id, contact_id) DO UPDATE SET state = 2, since = excluded.since WHERE subscriptions.state <> 2
RETURNING list_id
