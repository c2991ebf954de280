-- campaign_lists_of: the lists that a campaign goes to
SELECT list_id FROM campaign_lists WHERE campaign_id = $1 ORDER BY list_id
