-- campaign_list_add: one list that a campaign goes to
INSERT INTO campaign_lists (campaign_id, list_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
