-- subscribe: the person's or operator's own act; unlike an import it also brings back who had left
INSERT INTO subscriptions (list_id, contact_id, state, since) VALUES ($1, $2, 1, $3)
ON CONFLICT (list_id, contact_id) DO UPDATE SET state = 1, since = excluded.since, import_id = NULL
WHERE subscriptions.state <> 1
RETURNING list_id
