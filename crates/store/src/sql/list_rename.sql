-- list_rename: another name; campaigns know lists by their number
UPDATE lists SET name = $2 WHERE id = $1
