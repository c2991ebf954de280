-- audience_erased: contacts of the slice that were erased since it was staged
INSERT INTO left_out (campaign_id, contact_id, reason)
SELECT $1, s.contact_id, 'erased'
FROM (SELECT rank, contact_id FROM audience_stage WHERE campaign_id = $1 ORDER BY rank, contact_id LIMIT $2) s
LEFT JOIN contacts c ON c.id = s.contact_id
WHERE c.address IS NULL
ON CONFLICT DO NOTHING
