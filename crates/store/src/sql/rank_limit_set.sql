-- rank_limit_set: the audience goes up to this rank for now; absent: all of it
UPDATE campaigns SET rank_limit = $2, updated_at = $3, version = version + 1 WHERE id = $1
