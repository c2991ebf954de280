-- limit_delete: the configuration has it no more
DELETE FROM limits WHERE id = $1
