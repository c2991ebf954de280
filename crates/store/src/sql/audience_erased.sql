-- audience_erased: contacts of a range of ranks that were erased since it was staged
INSERT INTO left_out (campaign_id, contact_id, reason)
SELECT $1, s.contact_id, 'erased'
FROM audience_stage s
LEFT JOIN contacts c ON c.id = s.contact_id
WHERE s.campaign_id = $1 AND s.rank >= $2 AND s.rank <= $3 AND c.address IS NULL
ON CONFLICT DO NOTHING
