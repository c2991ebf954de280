-- feedback_has_strikes: whether a bounce of an address was ever recorded (index events_address)
SELECT count(*) FROM (SELECT 1 AS one FROM events WHERE address_hash = $1 AND kind = 'bounce' LIMIT 1) v
