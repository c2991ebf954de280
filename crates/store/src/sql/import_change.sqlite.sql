-- import_change: new data of contacts that stood before; an address is written only where it had been erased
UPDATE contacts SET address = COALESCE(contacts.address, v.a), erased_at = NULL, name = v.n, attributes = v.x,
    updated_at = $2, updated_import = $3
FROM (SELECT value->>'i' AS i, value->>'a' AS a, value->>'n' AS n, value->>'x' AS x FROM jsonb_each($1)) v
WHERE contacts.id = v.i
