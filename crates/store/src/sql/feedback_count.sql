-- feedback_count: how often a relay met a reason lately, somewhere ($4 = -1) or at one mailbox provider (events_relay)
SELECT count(*) FROM events WHERE relay_id = $1 AND reason = $2 AND at > $3 AND (provider = $4 OR $4 = -1)
