-- list_insert: a new list; a name that is taken is left as it is
INSERT INTO lists (name, title, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id
