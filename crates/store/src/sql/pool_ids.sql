-- pool_ids: all pools
SELECT name, id FROM pools ORDER BY id
