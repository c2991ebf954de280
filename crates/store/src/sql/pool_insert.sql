-- pool_insert: register a pool's name
INSERT INTO pools (name) VALUES ($1) ON CONFLICT (name) DO NOTHING
