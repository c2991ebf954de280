-- erase_delivery: past mail keeps its state and codes; the address goes, and the reply, which quotes it
UPDATE deliveries SET address = NULL, reply = NULL WHERE bucket = $1 AND id = $2 AND state <> 2
