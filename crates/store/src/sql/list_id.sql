-- list_id: a list by its name
SELECT id FROM lists WHERE name = $1
