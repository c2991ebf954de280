-- relay_ids: all relays
SELECT name, id FROM relays ORDER BY id
