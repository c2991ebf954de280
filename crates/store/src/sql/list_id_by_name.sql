-- list_id_by_name: a list's id
SELECT id FROM lists WHERE name = $1
