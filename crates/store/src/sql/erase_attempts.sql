-- erase_attempts: replies quote the address
UPDATE attempts SET reply = NULL WHERE bucket = $1 AND delivery_id = $2
