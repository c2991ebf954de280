-- link_contact: whose link it is: address, provider, whether mail is stopped everywhere, and the campaign's name
SELECT c.address, c.provider,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM suppressions s WHERE s.address_hash = c.address_hash AND s.scope = 0)
        THEN 1 ELSE 0 END AS BIGINT),
    (SELECT k.name FROM campaigns k WHERE k.id = $2)
FROM contacts c WHERE c.id = $1
