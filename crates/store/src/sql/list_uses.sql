-- list_uses: what would lose its footing if the list were deleted
SELECT (SELECT count(*) FROM subscriptions WHERE list_id = $1) AS members,
    (SELECT count(*) FROM campaign_lists WHERE list_id = $1) AS campaigns,
    (SELECT count(*) FROM suppressions WHERE scope = $1) AS suppressions
