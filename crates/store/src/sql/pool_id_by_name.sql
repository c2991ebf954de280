-- pool_id_by_name: a pool's id
SELECT id FROM pools WHERE name = $1
