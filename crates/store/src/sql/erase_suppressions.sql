-- erase_suppressions: the address goes, the hash stays
UPDATE suppressions SET address = NULL WHERE address_hash = $1 AND address IS NOT NULL
