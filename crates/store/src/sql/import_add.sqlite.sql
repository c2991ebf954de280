-- import_add: contacts of a slice that are new; the others are left as they are
INSERT INTO contacts (address, address_hash, provider, created_at, created_import, name, attributes, updated_at, updated_import)
SELECT value->>'a', value->>'h', value->>'p', $2, $3, value->>'n', value->>'x', $2, $3 FROM jsonb_each($1) WHERE true
ON CONFLICT (address_hash) DO NOTHING
