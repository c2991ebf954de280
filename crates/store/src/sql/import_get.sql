-- import_get: one import
SELECT i.id, i.list_id, l.name, i.source, i.started_at, i.finished_at, i.undone_at, i.summary
FROM imports i LEFT JOIN lists l ON l.id = i.list_id WHERE i.id = $1
