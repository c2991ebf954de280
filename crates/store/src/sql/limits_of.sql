-- limits_of: a scope's limits
SELECT id, scope, name, spec, book FROM limits WHERE scope = $1 ORDER BY id
