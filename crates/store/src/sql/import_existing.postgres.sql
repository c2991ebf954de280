-- import_existing: contacts of a slice that stood before, locked in the order of their numbers
SELECT c.id, c.address_hash, c.address, c.name, c.attributes, c.created_import, c.updated_import, c.erased_at
FROM contacts c WHERE c.address_hash IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
ORDER BY c.id FOR UPDATE
