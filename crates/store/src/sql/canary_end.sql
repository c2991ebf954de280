-- canary_end: the rest of the audience may go; once, whoever says so first
UPDATE campaigns SET rank_limit = NULL, updated_at = $2, version = version + 1
WHERE id = $1 AND rank_limit IS NOT NULL
