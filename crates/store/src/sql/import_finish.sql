-- import_finish: all rows are in
UPDATE imports SET finished_at = $2, summary = $3 WHERE id = $1
