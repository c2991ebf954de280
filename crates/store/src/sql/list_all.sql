-- list_all: every list with its members; the counts come from the primary key of subscriptions
SELECT l.id, l.name, l.title, l.created_at,
    (SELECT count(*) FROM subscriptions s WHERE s.list_id = l.id AND s.state = 1) AS subscribed,
    (SELECT count(*) FROM subscriptions s WHERE s.list_id = l.id AND s.state = 2) AS unsubscribed
FROM lists l ORDER BY l.name
