-- import_insert: an import begins; its summary holds the fingerprint of the source until it ends
INSERT INTO imports (list_id, source, started_at, summary) VALUES ($1, $2, $3, $4) RETURNING id
