-- feedback_count_campaign: how many rows of a campaign met a reason lately (events_back)
SELECT count(DISTINCT delivery_id) FROM events WHERE campaign_id = $1 AND reason = $2 AND at > $3 AND proven = 1
