-- feedback_has_strikes: whether anything ever came back for an address (index events_address)
SELECT count(*) FROM (SELECT 1 AS one FROM events WHERE address_hash = $1 AND kind = 'bounce' LIMIT 1) v
