-- opens_of: opened rows of some campaigns by mailbox provider and kind (by primary key)
SELECT campaign_id, provider, kind, n FROM open_tallies
WHERE campaign_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)
ORDER BY campaign_id, provider, kind
