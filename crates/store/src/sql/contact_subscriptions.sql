-- contact_subscriptions: how a contact stands to each of its lists
SELECT l.id, l.name, s.state, s.since FROM subscriptions s JOIN lists l ON l.id = s.list_id
WHERE s.contact_id = $1 ORDER BY l.name
