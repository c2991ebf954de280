-- opens_of: opened rows of some campaigns by mailbox provider and kind (by primary key)
SELECT campaign_id, provider, kind, n FROM open_tallies
WHERE campaign_id IN (SELECT value FROM json_each($1))
ORDER BY campaign_id, provider, kind
