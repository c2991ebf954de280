-- explain_subscriptions: how a contact stands to a campaign's lists
SELECT l.name, s.state, s.since FROM campaign_lists k JOIN lists l ON l.id = k.list_id
LEFT JOIN subscriptions s ON s.list_id = k.list_id AND s.contact_id = $2
WHERE k.campaign_id = $1 ORDER BY l.name
