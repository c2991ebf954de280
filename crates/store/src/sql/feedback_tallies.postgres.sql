-- feedback_tallies: what came back for some campaigns
SELECT campaign_id, relay_id, provider, bounce, reason, n, weak FROM tallies
WHERE campaign_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)
ORDER BY campaign_id, relay_id, provider, bounce, reason
