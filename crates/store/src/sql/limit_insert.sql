-- limit_insert: a limit that the configuration brings
INSERT INTO limits (scope, name, spec, book) VALUES ($1, $2, $3, $4)
