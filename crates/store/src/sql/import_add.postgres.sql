-- import_add: contacts of a slice that are new; the others are left as they are. Sorted by hash, so that two imports
-- never wait for each other in a ring
INSERT INTO contacts (address, address_hash, provider, created_at, created_import, name, attributes, updated_at, updated_import)
SELECT a, h, p, $2, $3, n, x, $2, $3
FROM json_to_recordset($1::json) AS v(a text, h bigint, p bigint, n text, x text) ORDER BY h
ON CONFLICT (address_hash) DO NOTHING
