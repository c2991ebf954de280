-- erase_events: reports quote the address
UPDATE events SET data = '{}' WHERE address_hash = $1
