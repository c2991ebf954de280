-- feedback_count_campaign: how often a campaign met a reason lately
SELECT count(*) FROM events WHERE campaign_id = $1 AND reason = $2 AND at > $3
