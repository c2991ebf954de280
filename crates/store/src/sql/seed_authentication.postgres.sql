-- seed_authentication: what mailbox providers said of some campaigns' copies, counted (index seed_copies_campaign)
SELECT campaign_id, provider, spf, dkim, dmarc, COUNT(*) FROM seed_copies
WHERE campaign_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint) AND (spf IS NOT NULL OR dkim IS NOT NULL OR dmarc IS NOT NULL)
GROUP BY campaign_id, provider, spf, dkim, dmarc
