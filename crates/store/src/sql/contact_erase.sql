-- contact_erase: the row stays as a tombstone under its hash, so that no import brings the person back
UPDATE contacts SET address = NULL, name = NULL, attributes = '{}', updated_at = $2, erased_at = $2
WHERE address_hash = $1 AND erased_at IS NULL RETURNING id
