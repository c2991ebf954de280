-- import_remember: what contacts were before this import changed them; the first memory counts
INSERT INTO import_changes (import_id, contact_id, name, attributes, prior_import)
SELECT $2, c.id, c.name, c.attributes, c.updated_import
FROM contacts c WHERE c.id IN (SELECT v.x::bigint FROM json_array_elements_text($1::json) AS v(x))
ON CONFLICT (import_id, contact_id) DO NOTHING
