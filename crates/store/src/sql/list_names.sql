-- list_names: all names, for the hint of an error
SELECT name FROM lists ORDER BY name LIMIT 200
