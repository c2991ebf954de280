-- campaign_lists_clear: before the lists of a draft are written anew
DELETE FROM campaign_lists WHERE campaign_id = $1
