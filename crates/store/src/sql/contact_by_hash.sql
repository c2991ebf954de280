-- contact_by_hash: one contact
SELECT id, address, name, attributes, provider, created_at, created_import, updated_at, updated_import, erased_at
FROM contacts WHERE address_hash = $1
