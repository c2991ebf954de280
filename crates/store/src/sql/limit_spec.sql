-- limit_spec: the configuration changed a limit
UPDATE limits SET spec = $3, book = $4 WHERE scope = $1 AND name = $2
