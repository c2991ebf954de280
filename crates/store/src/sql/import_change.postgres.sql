-- import_change: new data of contacts that stood before; an address is written only where it had been erased
UPDATE contacts SET address = COALESCE(contacts.address, v.a), erased_at = NULL, name = v.n, attributes = v.x,
    updated_at = $2, updated_import = $3
FROM json_to_recordset($1::json) AS v(i bigint, a text, n text, x text) WHERE contacts.id = v.i
