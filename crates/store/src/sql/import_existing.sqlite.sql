-- import_existing: contacts of a slice that stood before
SELECT c.id, c.address_hash, c.address, c.name, c.attributes, c.created_import, c.updated_import, c.erased_at
FROM json_each($1) v CROSS JOIN contacts c ON c.address_hash = v.value
