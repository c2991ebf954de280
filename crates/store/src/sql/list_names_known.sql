-- list_names_known: names to suggest when one is not found
SELECT name FROM lists ORDER BY name LIMIT 50
