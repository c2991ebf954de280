-- audience_mix_of: the frozen audiences of some campaigns by mailbox provider (by primary key)
SELECT campaign_id, provider, n FROM audience_mix
WHERE campaign_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)
ORDER BY campaign_id, provider
