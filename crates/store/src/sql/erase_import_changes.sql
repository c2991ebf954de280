-- erase_import_changes: former names and attributes of an erased contact, by the primary key under each import
DELETE FROM import_changes WHERE contact_id = $1 AND import_id IN (SELECT id FROM imports)
