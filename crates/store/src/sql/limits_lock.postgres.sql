-- limits_lock: a scope's limits, locked in id order before any delivery row
SELECT id, scope, name, spec, book FROM limits WHERE scope = $1 ORDER BY id FOR UPDATE
