-- limits_lock: a scope's limits; the writer is alone anyway
SELECT id, scope, name, spec, book FROM limits WHERE scope = $1 ORDER BY id
