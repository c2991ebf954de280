-- list_by_name: one list with its members
SELECT l.id, l.name, l.title, l.created_at,
    (SELECT count(*) FROM subscriptions s WHERE s.list_id = l.id AND s.state = 1) AS subscribed,
    (SELECT count(*) FROM subscriptions s WHERE s.list_id = l.id AND s.state = 2) AS unsubscribed
FROM lists l WHERE l.name = $1
