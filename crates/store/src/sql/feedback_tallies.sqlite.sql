-- feedback_tallies: what came back for some campaigns
SELECT campaign_id, relay_id, provider, bounce, reason, n, weak FROM tallies
WHERE campaign_id IN (SELECT value FROM json_each($1))
ORDER BY campaign_id, relay_id, provider, bounce, reason
