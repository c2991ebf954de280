-- feedback_tallies: what came back for a campaign, or for all ($1 = 0)
SELECT campaign_id, relay_id, provider, bounce, reason, n, weak FROM tallies WHERE campaign_id = $1 OR $1 = 0
ORDER BY campaign_id, relay_id, provider, bounce, reason
