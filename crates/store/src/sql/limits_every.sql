-- limits_every: all limits
SELECT id, scope, name, spec, book FROM limits ORDER BY id
