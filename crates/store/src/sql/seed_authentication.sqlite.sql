-- seed_authentication: what mailbox providers said of some campaigns' copies, counted (index seed_copies_campaign)
SELECT campaign_id, provider, spf, dkim, dmarc, COUNT(*) FROM seed_copies
WHERE campaign_id IN (SELECT value FROM json_each($1)) AND (spf IS NOT NULL OR dkim IS NOT NULL OR dmarc IS NOT NULL)
GROUP BY campaign_id, provider, spf, dkim, dmarc
