-- import_remember: what contacts were before this import changed them; the first memory counts
INSERT INTO import_changes (import_id, contact_id, name, attributes, prior_import)
SELECT $2, c.id, c.name, c.attributes, c.updated_import FROM json_each($1) v CROSS JOIN contacts c ON c.id = v.value
WHERE true ON CONFLICT (import_id, contact_id) DO NOTHING
