-- feedback_count: how many rows met a reason at a relay lately, somewhere ($4 = -1) or at one mailbox provider (events_relay)
SELECT count(DISTINCT delivery_id) FROM events
WHERE relay_id = $1 AND reason = $2 AND at > $3 AND proven = 1 AND (provider = $4 OR $4 = -1)
