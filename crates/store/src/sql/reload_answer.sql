-- reload_answer: what a node made of its configuration, in place of its word before
INSERT INTO events (at, kind, dedup, data) VALUES ($1, 'reload', $2, $3)
ON CONFLICT (dedup) DO UPDATE SET at = excluded.at, data = excluded.data
