-- import_unfinished: the same source was begun and never finished: its number is taken up again
SELECT id FROM imports WHERE list_id = $1 AND source = $2 AND summary = $3 AND finished_at IS NULL AND undone_at IS NULL
ORDER BY id DESC LIMIT 1
