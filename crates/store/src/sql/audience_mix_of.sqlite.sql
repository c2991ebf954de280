-- audience_mix_of: the frozen audiences of some campaigns by mailbox provider (by primary key)
SELECT campaign_id, provider, n FROM audience_mix
WHERE campaign_id IN (SELECT value FROM json_each($1))
ORDER BY campaign_id, provider
