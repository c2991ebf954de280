-- meta_put: write a fact once; a fact that stands is left as it is
INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING
