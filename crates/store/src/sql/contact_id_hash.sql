-- contact_id_hash: the keyed hash and address of a contact by its number
SELECT address_hash, address FROM contacts WHERE id = $1
